//! The place of a GIF's first frame on its logical screen, read from the file's blocks.
//!
//! A frame that is larger than the screen is cut by the decoder, while other programs enlarge the screen: such a file is refused
//! rather than shown in part. This file must not decode pixels.

/// Whether the first frame reaches beyond the logical screen. A file that ends before its first frame has none.
pub(crate) fn first_frame_exceeds_screen(bytes: &[u8]) -> bool {
    exceeds(bytes).unwrap_or(false)
}

fn exceeds(bytes: &[u8]) -> Option<bool> {
    let number = |at: usize| Some(u32::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])));
    let (width, height) = (number(6)?, number(8)?);
    let flags = *bytes.get(10)?;
    let palette = if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + palette;
    loop {
        match *bytes.get(at)? {
            // An extension: its label, then blocks with their lengths up to an empty one.
            0x21 => {
                at += 2;
                loop {
                    let length = usize::from(*bytes.get(at)?);
                    at += 1 + length;
                    if length == 0 {
                        break;
                    }
                }
            }
            0x2C => {
                let (left, top) = (number(at + 1)?, number(at + 3)?);
                let (frame_width, frame_height) = (number(at + 5)?, number(at + 7)?);
                return Some(left + frame_width > width || top + frame_height > height);
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The blocks of a GIF up to its first frame, with a palette of two colours and a comment.
    fn gif(screen: [u16; 2], frame: [u16; 4]) -> Vec<u8> {
        let mut bytes = b"GIF89a".to_vec();
        bytes.extend(screen.iter().flat_map(|side| side.to_le_bytes()));
        bytes.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
        bytes.extend(b"\x21\xFE\x02hi\x00\x2C");
        bytes.extend(frame.iter().flat_map(|number| number.to_le_bytes()));
        bytes
    }

    #[test]
    fn a_frame_within_the_screen_is_told_from_one_beyond_it() {
        assert!(!first_frame_exceeds_screen(&gif([8, 6], [0, 0, 8, 6])));
        assert!(!first_frame_exceeds_screen(&gif([8, 6], [2, 1, 6, 5])));
        assert!(first_frame_exceeds_screen(&gif([8, 6], [0, 0, 9, 6])));
        assert!(first_frame_exceeds_screen(&gif([8, 6], [1, 1, 7, 6])));
    }

    #[test]
    fn every_cut_ends_without_an_answer() {
        let whole = gif([8, 6], [0, 0, 9, 6]);
        for length in 0..whole.len() {
            assert!(!first_frame_exceeds_screen(&whole[..length]), "{length}");
        }
    }
}
