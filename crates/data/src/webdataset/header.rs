//! One tar header, 512 bytes: the name, size and kind of a member. Formats: v7, ustar, GNU; the extended headers of pax.
//!
//! This file must not know where in a file a header lies.

/// Size of a header, and what the content of members is padded to.
pub(super) const BLOCK: usize = 512;

/// What a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// GNU: the content is the name of the next member.
    LongName,
    /// pax: the content is fields of the next member.
    Pax,
    /// Content that belongs to no file: a long link target, fields of all members, a volume's name.
    Note,
    /// A link, a device, a sparse file.
    Other,
}

/// A header whose checksum is correct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
    pub(super) kind: Kind,
}

/// Parses a header; `None` if it is not one.
pub(super) fn parse(block: &[u8; BLOCK]) -> Option<Header> {
    let written = number(&block[148..156])?;
    // The sum is of all bytes, with spaces in place of itself. Some old programs added them as signed bytes.
    let sums = block
        .iter()
        .enumerate()
        .fold((0_i64, 0_i64), |(unsigned, signed), (place, &byte)| {
            let byte = if (148..156).contains(&place) { b' ' } else { byte };
            (unsigned + i64::from(byte), signed + i64::from(byte as i8))
        });
    if i64::try_from(written)
        .ok()
        .is_none_or(|written| written != sums.0 && written != sums.1)
    {
        return None;
    }
    let mut name = until_zero(&block[..100]).to_vec();
    if &block[257..263] == b"ustar\0" {
        let prefix = until_zero(&block[345..500]);
        if !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
    }
    let kind = match block[156] {
        b'0' | b'7' | 0 if name.ends_with(b"/") => Kind::Folder,
        b'0' | b'7' | 0 => Kind::File,
        b'5' => Kind::Folder,
        b'L' => Kind::LongName,
        b'x' | b'X' => Kind::Pax,
        b'K' | b'g' | b'V' => Kind::Note,
        _ => Kind::Other,
    };
    // Of links, folders and devices the size is no length of content.
    let size = match block[156] {
        b'1'..=b'6' => 0,
        _ => number(&block[124..136])?,
    };
    Some(Header { name, size, kind })
}

/// A number of a header: octal digits between spaces and zero bytes, or GNU's big-endian form.
fn number(field: &[u8]) -> Option<u64> {
    let (&first, rest) = field.split_first()?;
    if first == 0x80 {
        let (high, low) = rest.split_at(rest.len().checked_sub(8)?);
        return high
            .iter()
            .all(|&byte| byte == 0)
            .then(|| low.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)));
    }
    let text = std::str::from_utf8(until_zero(field)).ok()?.trim();
    match text {
        "" => Some(0),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => u64::from_str_radix(text, 8).ok(),
        _ => None,
    }
}

pub(super) fn until_zero(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// Fields of a pax header that change the next member.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PaxFields {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// The content is not the file's bytes.
    pub(super) is_sparse: bool,
}

/// Parses the content of a pax header, lines `LENGTH KEY=VALUE`; `None` if it is not one.
pub(super) fn parse_pax(mut bytes: &[u8]) -> Option<PaxFields> {
    let mut fields = PaxFields::default();
    while !bytes.is_empty() && bytes[0] != 0 {
        let space = bytes.iter().take(20).position(|&byte| byte == b' ')?;
        let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
        let (line, rest) = bytes.split_at_checked(length)?;
        let body = line.get(space + 1..)?.strip_suffix(b"\n")?;
        let equals = body.iter().position(|&byte| byte == b'=')?;
        let (key, value) = (&body[..equals], &body[equals + 1..]);
        match key {
            b"path" => fields.path = Some(value.to_vec()),
            b"size" => fields.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
            _ if key.starts_with(b"GNU.sparse") => fields.is_sparse = true,
            _ => {}
        }
        bytes = rest;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary_and_never_negative() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"  17 \0\0\0"), Some(15));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"\x80\0\0\0\x01\0\0\0\0\0\0\x02"), Some((1 << 56) + 2));
        for wrong in [
            &b"0000008\0"[..],
            b"-1\0\0\0\0\0\0",
            b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
            b"+7\0\0\0\0\0\0",
        ] {
            assert_eq!(number(wrong), None, "{wrong:?}");
        }
        assert_eq!(number(&[&[0x80, 1][..], &[0; 10]].concat()), None);
    }

    #[test]
    fn pax_fields_are_read_and_false_lengths_are_refused() {
        let fields = parse_pax(b"12 path=a/b\n13 size=1234\n20 GNU.sparse.major=1\n\0\0").map(|_| ());
        assert_eq!(fields, None, "a length that does not fit");
        let fields = parse_pax(b"12 path=a/b\n13 size=1234\n22 GNU.sparse.major=1\n\0\0").unwrap();
        assert_eq!(
            (fields.path, fields.size, fields.is_sparse),
            (Some(b"a/b".to_vec()), Some(1234), true)
        );
        for wrong in [
            &b"99 path=a\n"[..],
            b"3 \n",
            b"path=a\n",
            b"18446744073709551615 a=b\n",
            b"0 a=b\n",
            b"6 a=b",
        ] {
            assert_eq!(parse_pax(wrong), None, "{wrong:?}");
        }
    }
}
