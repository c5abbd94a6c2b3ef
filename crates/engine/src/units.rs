//! Numbers with units, as messages print them.

/// `1536` as `1.5 KiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 10.0);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// `5400` seconds as `1.5 h`.
pub fn duration(seconds: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s")];
    let (size, unit) = UNITS
        .into_iter()
        .find(|(size, _)| seconds >= 2.0 * size)
        .unwrap_or(UNITS[3]);
    let digits = usize::from(size >= 3600.0 && seconds < 10.0 * size);
    format!("{:.digits$} {unit}", seconds / size)
}

/// `11176512` as `11,176,512`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_binary_units() {
        let texts = [0, 999, 1000, 1536, 10 << 20, 3 << 29].map(bytes);
        assert_eq!(texts, ["0 B", "999 B", "1.0 KiB", "1.5 KiB", "10 MiB", "1.5 GiB"]);
    }

    #[test]
    fn durations_have_the_unit_that_keeps_two_digits() {
        let texts = [0.4, 59.6, 119.0, 130.0, 7000.0, 7300.0, 80_000.0, 200_000.0].map(duration);
        assert_eq!(
            texts,
            ["0 s", "60 s", "119 s", "2 min", "117 min", "2.0 h", "22 h", "2.3 days"]
        );
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        let texts: Vec<String> = [0, 12, 999, 1000, 23_508_032].into_iter().map(grouped).collect();
        assert_eq!(texts, ["0", "12", "999", "1,000", "23,508,032"]);
    }
}
