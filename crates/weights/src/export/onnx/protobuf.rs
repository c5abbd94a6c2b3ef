//! Fields of protocol buffers, as far as ONNX's messages need them. A message is the bytes of its fields.

/// A message that is being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(pub Vec<u8>);

impl Message {
    /// A field of an integer, an enum or a truth value.
    pub fn int(mut self, field: u64, value: i64) -> Self {
        varint(&mut self.0, field << 3);
        varint(&mut self.0, value as u64);
        self
    }

    /// A field of a float of four bytes.
    pub fn float(mut self, field: u64, value: f32) -> Self {
        varint(&mut self.0, field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A field of bytes, a text or a message.
    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.0.extend(length_prefix(field, value.len() as u64));
        self.0.extend(value);
        self
    }

    pub fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// A field that is repeated for each of `values`.
    pub fn each<T>(self, values: impl IntoIterator<Item = T>, add: impl Fn(Self, T) -> Self) -> Self {
        values.into_iter().fold(self, add)
    }
}

/// What is before the `bytes` bytes of a field.
pub(super) fn length_prefix(field: u64, bytes: u64) -> Vec<u8> {
    let mut prefix = Vec::new();
    varint(&mut prefix, field << 3 | 2);
    varint(&mut prefix, bytes);
    prefix
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::Message;

    /// The examples of the format's documentation, and a negative number.
    #[test]
    fn fields_are_written_as_defined() {
        assert_eq!(Message::default().int(1, 150).0, [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").0, *b"\x12\x07testing");
        let inner = Message::default().int(1, 150);
        assert_eq!(Message::default().message(3, &inner).0, [0x1a, 3, 8, 0x96, 1]);
        assert_eq!(Message::default().float(2, 1.0).0, [0x15, 0, 0, 0x80, 0x3f]);
        let minus = Message::default().int(3, -1).0;
        assert_eq!((minus.len(), minus[10]), (11, 1));
    }
}
