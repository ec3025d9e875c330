//! Machines and devices by what a person calls them.

use std::collections::BTreeSet;

use super::{PoolError, PoolFile, PoolMachine};

impl PoolMachine {
    /// What it may be called by: its own name, its group's, its region's.
    fn names(&self) -> [&String; 3] {
        [&self.name, &self.group, &self.region]
    }
}

impl PoolFile {
    /// The machines of a name, of a group of machines or of a region, without regard to case.
    ///
    /// # Errors
    ///
    /// If there is none: says what is called nearly so.
    pub fn named(&self, name: &str) -> Result<Vec<usize>, PoolError> {
        let is = |other: &str| other.eq_ignore_ascii_case(name);
        let of = |(number, machine): (usize, &PoolMachine)| {
            machine.names().into_iter().any(|name| is(name)).then_some(number)
        };
        let found: Vec<usize> = self.machines.iter().enumerate().filter_map(of).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let names: BTreeSet<&String> = self.machines.iter().flat_map(PoolMachine::names).collect();
        let likeness = |known: &&&String| {
            (strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase()) * 1e6) as u64
        };
        let near = names.iter().max_by_key(likeness).map_or("", |near| near.as_str());
        let name: String = name.chars().take(80).collect();
        let why = format!("no machine, group or region is called `{name}`; did you mean `{near}`?");
        Err(PoolError::Other(why))
    }

    /// Plans without machines, without those of a region, or, as `machine:number`, without one device.
    ///
    /// # Errors
    ///
    /// If there is no such machine, region or device.
    pub fn leave_out(&mut self, name: &str) -> Result<(), PoolError> {
        let whole = self.named(name);
        let (machines, device) = match (whole, name.rsplit_once(':')) {
            (Ok(machines), _) => (machines, None),
            (Err(_), Some((machine, number))) if number.parse::<usize>().is_ok() => {
                (self.named(machine)?, number.parse::<usize>().ok())
            }
            (Err(unknown), _) => return Err(unknown),
        };
        for machine in machines {
            let machine = &mut self.machines[machine];
            let devices = machine.devices.len();
            if let Some(number) = device.filter(|number| *number >= devices) {
                let why = format!(
                    "{} has no device {number}: its {devices} devices count from 0",
                    machine.name
                );
                return Err(PoolError::Other(why));
            }
            let out = |place: usize| device.is_none_or(|number| number == place);
            // Without memory it holds nothing.
            let devices = machine.devices.iter_mut().enumerate();
            devices.filter(|(place, _)| out(*place)).for_each(|(_, d)| d.memory_bytes = 0);
        }
        Ok(())
    }
}
