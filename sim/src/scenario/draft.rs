//! A scenario that is not run yet: its keys can still be set.

use std::{
    fmt,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use swarm_scheduler::catalogue;

use super::{Scenario, ScenarioError};
use crate::{
    Sabotage, Setting,
    fleets::Fleets,
    recipe::{RecipeError, Text},
    script::{SCRIPT_BYTES_MAX, Script},
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
    /// Where it is written what happens in it, if that is not drawn, and what.
    script: Option<Arc<(String, Script)>>,
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
            near: near(name),
        })?;
        let folder = Path::new(name).parent().unwrap_or(Path::new("."));
        Self::new(name, &text, Some(folder.to_owned()))
    }

    fn new(name: &str, text: &str, folder: Option<PathBuf>) -> Result<Self, ScenarioError> {
        let source = text.into();
        let text = Text::parse(text).map_err(|reason| wrong(name, reason))?;
        let (settings, fleets) = (Vec::new(), Arc::default());
        Ok(Self { name: name.to_owned(), source, text, folder, settings, script: None, fleets })
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

    /// The same with what happens as it is written in a file.
    pub fn with_script(self, path: &Path) -> Result<Self, ScenarioError> {
        let file = path.to_string_lossy().into_owned();
        let script = read_script(path)
            .and_then(|text| Script::parse(&text).map_err(|error| error.to_string()));
        match script {
            Ok(script) => Ok(self.scripted(&file, script)),
            Err(reason) => Err(ScenarioError::Script { file, reason }),
        }
    }

    /// The same with what happens as in this script, which is in that file.
    pub fn scripted(self, file: &str, script: Script) -> Self {
        Self { script: Some(Arc::new((file.to_owned(), script))), ..self }
    }

    /// Its name as a part of the names of files.
    pub fn stem(&self) -> String {
        let stem = Path::new(&self.name).file_stem();
        stem.map_or_else(|| "scenario".to_owned(), |stem| stem.to_string_lossy().into_owned())
    }

    /// The command that runs it with this seed, for a shell.
    pub fn again(&self, seed: u64) -> String {
        self.again_with(seed, Sabotage::None)
    }

    /// The same with what is planted.
    pub fn again_with(&self, seed: u64, sabotage: Sabotage) -> String {
        let planted = match sabotage {
            Sabotage::None => String::new(),
            planted => format!(" --sabotage {planted}"),
        };
        format!("hexswarm-sim run {self} --seed {seed}{planted}")
    }

    /// The scenario, as it stands now.
    pub fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let scenario = self.unscripted()?;
        let Some((file, script)) = self.script.as_deref() else { return Ok(scenario) };
        match scenario.plays(script) {
            Ok(()) => Ok(scenario.scripted(script.clone())),
            Err(reason) => Err(ScenarioError::Script { file: file.clone(), reason }),
        }
    }

    fn unscripted(&self) -> Result<Scenario, ScenarioError> {
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
        })?;
        match self.script.as_deref() {
            Some((file, _)) => write!(f, " --script {}", quoted(file)),
            None => Ok(()),
        }
    }
}

/// A script's text, unless it is absurdly long.
fn read_script(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    file.take(SCRIPT_BYTES_MAX + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    match text.len() as u64 > SCRIPT_BYTES_MAX {
        true => Err(format!("it is longer than {SCRIPT_BYTES_MAX} bytes")),
        false => Ok(text),
    }
}

/// Which scenario may be meant, for the end of a sentence.
fn near(name: &str) -> String {
    let known = shipped::SHIPPED.iter().map(|(known, _)| *known);
    catalogue::nearest_name(name, known)
        .map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

fn wrong(name: &str, reason: RecipeError) -> ScenarioError {
    ScenarioError::Wrong { name: name.to_owned(), reason }
}
