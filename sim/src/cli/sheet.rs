//! CSV files.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use color_eyre::eyre::WrapErr as _;
use csv::Writer;
use hexswarm_sim::{Metric, Report};

/// A file that is written row by row, if it is wanted. Runs that took long are not lost because
/// there is no room for it: that is told at the end.
pub(super) struct Sheet(Option<(PathBuf, Writer<File>, csv::Result<()>)>);

impl Sheet {
    pub(super) fn create<H: AsRef<[u8]>>(
        path: Option<&Path>,
        heads: impl IntoIterator<Item = H>,
    ) -> color_eyre::Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let mut writer = Writer::from_path(path).wrap_err_with(|| {
            format!("{} cannot be written: is its folder there?", path.display())
        })?;
        writer.write_record(heads)?;
        Ok(Self(Some((path.to_owned(), writer, Ok(())))))
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        if let Some((_, writer, result)) = &mut self.0
            && result.is_ok()
        {
            *result = writer.write_record(cells);
        }
    }

    /// Whether all of it is written.
    pub(super) fn done(self) -> color_eyre::Result<()> {
        let Some((path, mut writer, result)) = self.0 else { return Ok(()) };
        let result = result.and_then(|()| Ok(writer.flush()?));
        result.wrap_err_with(|| format!("{} was not written to its end", path.display()))
    }
}

/// What is written of a run after what tells it from others.
pub(super) fn heads(figures: &[Metric]) -> impl Iterator<Item = String> {
    let names = figures.iter().map(|figure| figure.name());
    ["seed", "requests"].map(str::to_owned).into_iter().chain(names).chain(["trouble".to_owned()])
}

/// A run's cells under these heads.
pub(super) fn cells(
    seed: u64,
    report: &Report,
    figures: &[Metric],
) -> impl Iterator<Item = String> {
    let values = figures.iter().map(|figure| cell(figure.of(&[report])));
    let first = [seed.to_string(), report.served.len().to_string()];
    first.into_iter().chain(values).chain([report.trouble.clone().unwrap_or_default()])
}

/// A figure to a millionth; nothing if there is none.
pub(super) fn cell(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| ((value * 1e6).round() / 1e6).to_string())
}

pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
