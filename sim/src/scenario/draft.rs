//! A scenario that is not run yet: its keys can still be set.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Scenario, ScenarioError};
use crate::{
    Setting,
    fleets::Fleets,
    recipe::{RecipeError, Text},
    setting::quoted,
    shipped,
};

/// A scenario's text, and where it lies. Scenarios of a draft and its clones search each plan once.
#[derive(Clone, Debug)]
pub struct Draft {
    name: String,
    /// As it was written,
    source: Arc<str>,
    /// and with what was set of it.
    text: Text,
    /// The folder of a file; none of a scenario that comes with the simulator.
    folder: Option<PathBuf>,
    /// What was set of it.
    settings: Vec<Setting>,
    fleets: Arc<Fleets>,
}

impl Draft {
    /// A scenario of the simulator's, by its name, or one in a file.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        if let Some((_, text)) = shipped::SHIPPED.iter().find(|(known, _)| *known == name) {
            return Self::new(name, text, None);
        }
        let text = std::fs::read_to_string(name).map_err(|e| ScenarioError::Unknown {
            name: name.to_owned(),
            known: shipped::SHIPPED.map(|(known, _)| known).join(", "),
            reason: e.to_string(),
        })?;
        let folder = Path::new(name).parent().unwrap_or(Path::new("."));
        Self::new(name, &text, Some(folder.to_owned()))
    }

    fn new(name: &str, text: &str, folder: Option<PathBuf>) -> Result<Self, ScenarioError> {
        let source = text.into();
        let text = Text::parse(text).map_err(|reason| wrong(name, reason))?;
        let (settings, fleets) = (Vec::new(), Arc::default());
        Ok(Self { name: name.to_owned(), source, text, folder, settings, fleets })
    }

    /// What it is about, if it says so.
    pub fn about(&self) -> Option<&str> {
        self.text.about()
    }

    /// Its text as it was written, before anything was set.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Sets a key such as `workload.requests_per_s` or `fault.0.at_s`.
    pub fn set(&mut self, setting: &Setting) -> Result<(), ScenarioError> {
        let Setting { key, value, .. } = setting;
        self.text.set(key, value.clone()).map_err(|reason| wrong(&self.name, reason))?;
        self.settings.retain(|earlier| earlier.key != *key);
        self.settings.push(setting.clone());
        Ok(())
    }

    /// The command that runs it with this seed, for a shell.
    pub fn again(&self, seed: u64) -> String {
        format!("hexswarm-sim run {self} --seed {seed}")
    }

    /// The scenario, as it stands now.
    pub fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let beside = |file: &str| -> io::Result<String> {
            match &self.folder {
                Some(folder) => std::fs::read_to_string(folder.join(file)),
                None => shipped::read(file),
            }
        };
        Scenario::of(&self.text, &beside, &self.fleets).map_err(|reason| wrong(&self.name, reason))
    }
}

/// Its name and what was set of it, as a shell takes them.
impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(&self.name))?;
        self.settings.iter().try_for_each(|Setting { key, text, .. }| {
            write!(f, " --set {}={}", quoted(key), quoted(text))
        })
    }
}

fn wrong(name: &str, reason: RecipeError) -> ScenarioError {
    ScenarioError::Wrong { name: name.to_owned(), reason }
}
