//! A point of a sweep: what its runs came to together.

use hexswarm_sim::{Metric, Report, Setting};
use serde_json::{Map, Value, json};

/// What a point's runs came to together.
pub(super) struct Point {
    set: Vec<Setting>,
    seeds: usize,
    requests: usize,
    /// Of each figure that of all runs together, the least of a run, and the most.
    figures: Vec<Option<[f64; 3]>>,
    /// A run that had no plan, and why.
    pub(super) trouble: Option<String>,
}

impl Point {
    /// What all runs of it came to.
    pub(super) fn of(set: &[&Setting], runs: &[(String, Report)], figures: &[Metric]) -> Self {
        let reports: Vec<&Report> = runs.iter().map(|(_, report)| report).collect();
        let figure = |figure: &Metric| {
            let each = || reports.iter().filter_map(|report| figure.of(&[report]));
            let all = figure.of(&reports)?;
            Some([all, each().fold(f64::MAX, f64::min), each().fold(f64::MIN, f64::max)])
        };
        let trouble = runs.iter().find_map(|(again, report)| {
            Some(format!("{again}: there is no plan: {}", report.trouble.as_ref()?))
        });
        Self {
            set: set.iter().map(|setting| (*setting).clone()).collect(),
            seeds: runs.len(),
            requests: reports.iter().map(|report| report.served.len()).sum(),
            figures: figures.iter().map(figure).collect(),
            trouble,
        }
    }

    /// What is set by this axis.
    pub(super) fn text(&self, axis: usize) -> Option<&str> {
        self.set.get(axis).map(|setting| setting.text.as_str())
    }

    /// The figure in this place, of all runs together.
    pub(super) fn value(&self, figure: usize) -> Option<f64> {
        self.figures.get(figure)?.map(|[all, ..]| all)
    }

    /// For people: below what all seeds came to, from where to where a seed alone is.
    pub(super) fn row(&self, figures: &[Metric]) -> Vec<String> {
        let cell = |(figure, value): (&Metric, &Option<[f64; 3]>)| match value.as_ref() {
            None => "-".to_owned(),
            Some([all, _, _]) if self.seeds < 2 => figure.told(*all),
            Some(values) => {
                let [all, least, most] = values.map(|value| figure.told(value));
                if least == most { all } else { format!("{all}\n{least}..{most}") }
            }
        };
        let set = self.set.iter().map(|setting| setting.text.clone());
        let own = figures.iter().zip(&self.figures).map(cell);
        set.chain([self.requests.to_string()]).chain(own).collect()
    }

    /// For programs.
    pub(super) fn document(&self, figures: &[Metric]) -> Value {
        let set = self.set.iter().map(|Setting { key, value, .. }| {
            (key.clone(), serde_json::to_value(value).unwrap_or_default())
        });
        let own = figures.iter().zip(&self.figures).map(|(figure, value)| {
            let value =
                value.map(|[all, least, most]| json!({ "all": all, "least": least, "most": most }));
            (figure.name(), value.unwrap_or_default())
        });
        json!({
            "set": set.collect::<Map<_, _>>(), "seeds": self.seeds, "requests": self.requests,
            "figures": own.collect::<Map<_, _>>(), "trouble": self.trouble,
        })
    }
}
