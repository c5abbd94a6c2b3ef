//! The table of a benchmark on a terminal.

use crate::console::print_result;
use serde_json::{Map, Value};

/// Columns of the measurements: key, title and number of decimals.
const MEASURED: [(&str, &str, usize); 5] = [
    ("first_s", "first s", 3),
    ("median_s", "median s", 5),
    ("min_s", "min s", 5),
    ("gflop_per_s", "GFLOP/s", 1),
    ("peak_mb", "peak MiB", 0),
];
/// Width of a column of numbers.
const WIDTH: usize = 9;

/// The columns that name a case, each with its width, before those of its measurements.
pub(super) struct Table {
    pub named: &'static [(&'static str, usize)],
}

impl Table {
    pub(super) fn print_head(&self, json: bool) {
        if json {
            return;
        }
        let mut head = String::new();
        for (key, width) in self.named {
            head += &format!("{key:<width$} ");
        }
        for (_, title, _) in MEASURED {
            head += &format!("{title:>WIDTH$} ");
        }
        print_result(head.trim_end());
    }

    pub(super) fn print_row(&self, line: &Map<String, Value>, json: bool) {
        if json {
            print_result(&Value::Object(line.clone()).to_string());
            return;
        }
        let mut row = String::new();
        for (key, width) in self.named {
            let text = match line.get(*key) {
                Some(Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
                None => "-".to_owned(),
            };
            row += &format!("{text:<width$} ");
        }
        match line.get("error") {
            Some(error) => row += error.as_str().unwrap_or("?"),
            None => {
                for (key, _, decimals) in MEASURED {
                    let number = line.get(key).and_then(Value::as_f64);
                    let text = number.map_or("-".to_owned(), |number| format!("{number:.decimals$}"));
                    row += &format!("{text:>WIDTH$} ");
                }
            }
        }
        print_result(row.trim_end());
    }
}
