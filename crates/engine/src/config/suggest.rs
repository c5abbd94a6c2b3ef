//! "Did you mean": the nearest known word to a mistyped one.

/// The known word nearest to `word`, if one is close enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= word.len().max(candidate.len()).div_ceil(3))
        .map(|(_, candidate)| candidate)
}

/// Reads serde's "unknown field/variant `x`, expected one of `a`, `b`" and returns the nearest expected word.
pub(super) fn explain_unknown(message: &str) -> Option<(String, Option<String>)> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let mut words = message.split('`').skip(1).step_by(2);
    let unknown = words.next()?.to_owned();
    let near = nearest(&unknown, words).map(str::to_owned);
    Some((unknown, near))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_nonsense_does_not() {
        assert_eq!(nearest("epoch", ["batch_size", "epochs", "keep"]), Some("epochs"));
        assert_eq!(nearest("lamda", ["lambda", "scale"]), Some("lambda"));
        assert_eq!(nearest("zzzzzz", ["lambda", "scale"]), None);
    }

    #[test]
    fn serde_messages_are_understood() {
        let message = "unknown field `epoch`, expected one of `epochs`, `keep`";
        assert_eq!(explain_unknown(message), Some(("epoch".into(), Some("epochs".into()))));
        assert_eq!(explain_unknown("invalid type: string"), None);
    }
}
