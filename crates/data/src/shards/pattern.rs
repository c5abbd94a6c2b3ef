//! Patterns of shard names, as WebDataset writes them: `train-{000000..000999}.tar`, `{a..c}`, `{train,val}`, and several
//! joined by `::`.
//!
//! This file must not touch the disk.

use super::ShardError;

/// Most names that a pattern may stand for.
const MAX_NAMES: usize = 1_000_000;

/// Whether a path is a pattern and not the name of one file.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains("::") || (text.contains('{') && text.contains('}'))
}

/// The names that a pattern stands for, in its order. Numbers keep their leading zeros, and may count down.
///
/// # Errors
/// [`ShardError::Pattern`]: an open or empty brace, ends of a range of different kinds, more than a million names.
pub fn expand_pattern(pattern: &str) -> Result<Vec<String>, ShardError> {
    let wrong = |reason: &str| ShardError::Pattern {
        pattern: pattern.into(),
        reason: reason.into(),
    };
    let mut names = Vec::new();
    for part in pattern.split("::") {
        if part.is_empty() {
            return Err(wrong("has an empty part"));
        }
        // Each round resolves the first brace of every name.
        let mut current = vec![part.to_owned()];
        while current.iter().any(|name| name.contains('{')) {
            let mut next = Vec::new();
            for name in current {
                let Some((before, rest)) = name.split_once('{') else {
                    next.push(name);
                    continue;
                };
                let (inner, after) = rest.split_once('}').ok_or_else(|| wrong("has a { without a }"))?;
                let values = values(inner).map_err(wrong)?;
                if next.len() + values.len() > MAX_NAMES {
                    return Err(wrong("stands for more than a million names"));
                }
                next.extend(values.iter().map(|value| format!("{before}{value}{after}")));
            }
            current = next;
        }
        if names.len() + current.len() > MAX_NAMES {
            return Err(wrong("stands for more than a million names"));
        }
        names.append(&mut current);
    }
    Ok(names)
}

/// The values of one brace: a range or a list.
fn values(inner: &str) -> Result<Vec<String>, &'static str> {
    if inner.is_empty() || inner.contains('{') {
        return Err("has an empty or nested brace");
    }
    let Some((first, last)) = inner.split_once("..") else {
        return Ok(inner.split(',').map(str::to_owned).collect());
    };
    if let ([first], [last]) = (first.as_bytes(), last.as_bytes())
        && first.is_ascii_alphabetic()
        && last.is_ascii_alphabetic()
    {
        let letters = |from: u8, to: u8| (from..=to).map(|letter| char::from(letter).to_string());
        return Ok(if first <= last {
            letters(*first, *last).collect()
        } else {
            letters(*last, *first).rev().collect()
        });
    }
    let number = |text: &str| -> Option<u64> {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())?
    };
    let (Some(from), Some(to)) = (number(first), number(last)) else {
        return Err("has a range whose ends are not two numbers or two letters");
    };
    if from.abs_diff(to) >= MAX_NAMES as u64 {
        return Err("stands for more than a million names");
    }
    let has_zeros = |text: &str| text.len() > 1 && text.starts_with('0');
    let width = match has_zeros(first) || has_zeros(last) {
        true => first.len().max(last.len()),
        false => 0,
    };
    // A width is repeated in every name: the text of the pattern must not be a way to ask for gigabytes.
    if width > 100 {
        return Err("has a number of more than 100 digits");
    }
    let shown = |value: u64| format!("{value:0width$}");
    Ok(if from <= to {
        (from..=to).map(shown).collect()
    } else {
        (to..=from).rev().map(shown).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lists_and_several_patterns_are_expanded_in_order() {
        for (pattern, expected) in [
            ("a.tar", "a.tar"),
            ("t-{08..11}.tar", "t-08.tar t-09.tar t-10.tar t-11.tar"),
            ("{8..10}", "8 9 10"),
            ("{0..2}", "0 1 2"),
            ("{000..1}", "000 001"),
            ("{2..0}", "2 1 0"),
            ("{a..c}x", "ax bx cx"),
            ("{c..a}", "c b a"),
            ("{train,val}-{0..1}", "train-0 train-1 val-0 val-1"),
            ("a-{0..1}::b", "a-0 a-1 b"),
        ] {
            assert_eq!(expand_pattern(pattern).unwrap().join(" "), expected, "{pattern}");
        }
        let many = expand_pattern("train-{000000..000999}.tar").unwrap();
        assert_eq!((many.len(), many[999].as_str()), (1000, "train-000999.tar"));
    }

    #[test]
    fn a_wrong_pattern_is_one_line() {
        for pattern in [
            "{",
            "{}",
            "a{0..1",
            "{a..1}",
            "{..}",
            "{0..}",
            "{1..99999999999}",
            "{0..999}{0..9999}",
            "::",
            "a::",
            "{{0..1}}",
            "{-1..2}",
            "{18446744073709551616..0}",
        ] {
            let error = expand_pattern(pattern).unwrap_err().to_string();
            assert!(error.contains(pattern) && !error.contains('\n'), "{error}");
        }
    }
}
