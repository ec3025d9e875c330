//! Recorded availability of spot machines: CSV whose header has `start_s,end_s,available`. A row says how
//! many machines could be had from when until when. Other columns, such as a zone's, tell series apart,
//! of which each has machines of its own.

use std::{collections::BTreeMap, time::Duration};

use super::trace::{ChurnError, ChurnTrace, ROWS_MAX, Stay, time};

/// Where the columns are that matter.
pub(super) struct Columns([usize; 3]);

/// Machines of one series: those that are here, by when they came in `stays`, and until when the series
/// is told.
#[derive(Default)]
struct Series {
    here: Vec<usize>,
    end_s: f64,
}

impl Columns {
    /// Columns of a header, if it is of such a trace.
    pub(super) fn of(header: &csv::StringRecord) -> Option<Self> {
        let place = |name: &str| header.iter().position(|cell| cell == name);
        Some(Self([place("start_s")?, place("end_s")?, place("available")?]))
    }

    /// When a row begins and ends, and how many machines there are.
    fn read(&self, row: &csv::StringRecord, last_s: f64) -> Result<(f64, f64, usize), String> {
        let [start, end, available] = self.0.map(|place| row.get(place).unwrap_or_default());
        let number = |cell: &str| {
            let number = cell.parse::<f64>();
            number.map_err(|_| format!("`{cell}` is no number of seconds"))
        };
        let (start_s, end_s) = (number(start)?, number(end)?);
        time(start_s, last_s)?;
        time(end_s, start_s)?;
        let many = available.parse::<usize>().ok().filter(|many| *many <= ROWS_MAX);
        let many = many.ok_or_else(|| format!("`{available}` is no number of machines"))?;
        Ok((start_s, end_s, many))
    }

    /// What makes a row's series another than that of others.
    fn series(&self, row: &csv::StringRecord) -> Vec<String> {
        let others = row.iter().enumerate().filter(|(place, _)| !self.0.contains(place));
        others.map(|(_, cell)| cell.to_owned()).collect()
    }
}

/// The stays that rows come to. What no row tells of is taken for gone; who is here at the end of a
/// series stays.
pub(super) fn stays(
    columns: &Columns,
    rows: impl Iterator<Item = Result<csv::StringRecord, ChurnError>>,
) -> Result<ChurnTrace, ChurnError> {
    let mut stays: Vec<Stay> = Vec::new();
    let mut all: BTreeMap<Vec<String>, Series> = BTreeMap::new();
    for (count, row) in rows.enumerate() {
        let (row, line) = (row?, count as u64 + 2);
        let wrong = |reason: String| ChurnError::Line { line, reason };
        if count >= ROWS_MAX {
            return Err(wrong(format!("more than {ROWS_MAX} rows")));
        }
        let series = all.entry(columns.series(&row)).or_default();
        let (start_s, end_s, many) = columns.read(&row, series.end_s).map_err(wrong)?;
        let mut go = |here: &mut Vec<usize>, left: usize, at_s: f64| {
            let gone = here.split_off(left.min(here.len()));
            gone.into_iter().for_each(|stay| stays[stay].to = Some(Duration::from_secs_f64(at_s)));
        };
        if start_s > series.end_s {
            go(&mut series.here, 0, series.end_s);
        }
        go(&mut series.here, many, start_s);
        if stays.len() + many - series.here.len() > ROWS_MAX {
            return Err(wrong(format!("machines come more than {ROWS_MAX} times by then")));
        }
        while series.here.len() < many {
            series.here.push(stays.len());
            stays.push(Stay { from: Duration::from_secs_f64(start_s), to: None });
        }
        series.end_s = end_s;
    }
    stays.sort_by_key(|stay| stay.from);
    if stays.is_empty() { Err(ChurnError::Empty) } else { Ok(ChurnTrace(stays)) }
}
