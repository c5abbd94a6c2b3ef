//! The compressed string of COCO's masks: five bits a character, each run as the difference to the one two before it.

use super::MaskError;

/// The runs of a string.
///
/// # Errors
/// If a character is outside the alphabet, the string ends within a number, or a run is negative or over 32 bits.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u64>, MaskError> {
    let mut runs: Vec<u64> = Vec::new();
    let (mut value, mut shift) = (0i64, 0u32);
    for (at, &letter) in text.iter().enumerate() {
        let damaged = MaskError::Compressed { at };
        let bits = letter.wrapping_sub(48);
        if bits >= 64 || shift > 35 {
            return Err(damaged);
        }
        value |= i64::from(bits & 31) << shift;
        shift += 5;
        if bits & 32 != 0 {
            continue;
        }
        if bits & 16 != 0 {
            value |= -1 << shift;
        }
        let before = if runs.len() > 2 { runs[runs.len() - 2] as i64 } else { 0 };
        let run = u32::try_from(value + before).map_err(|_| damaged)?;
        runs.push(u64::from(run));
        (value, shift) = (0, 0);
    }
    match shift {
        0 => Ok(runs),
        _ => Err(MaskError::Compressed { at: text.len() }),
    }
}

/// The string of runs.
pub(super) fn encode(runs: &[u32]) -> String {
    let mut text = String::new();
    for (at, &run) in runs.iter().enumerate() {
        let mut value = i64::from(run) - if at > 2 { i64::from(runs[at - 2]) } else { 0 };
        loop {
            let bits = (value & 31) as u8;
            value >>= 5;
            // The fifth bit is the sign of what follows.
            let more = if bits & 16 != 0 { value != -1 } else { value != 0 };
            text.push(char::from(48 + bits + if more { 32 } else { 0 }));
            if !more {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_strings_are_refused() {
        assert_eq!(decode(b"").unwrap(), [0u64; 0]);
        for text in [&b"0\x01"[..], b"h", b"hhhhhhhhhhhhhh", b"N", b"\xff", b"00000000000N"] {
            assert!(decode(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn large_runs_and_negative_differences_survive() {
        let runs = [0, 3_000_000_000, 1, 1, 4_294_967_295, 17, 16, 15, 32, 0, 31];
        let text = encode(&runs);
        assert_eq!(decode(text.as_bytes()).unwrap(), runs.map(u64::from));
    }
}
