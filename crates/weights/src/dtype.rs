//! Data types of stored tensors and their conversion to f32.

use std::fmt;

/// Data type of a stored tensor. Values are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dtype {
    /// 8-byte float.
    F64,
    /// 4-byte float.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of an f32.
    Bf16,
    /// 8-bit float with 4 bits of exponent, without infinities (torch's `float8_e4m3fn`).
    F8E4m3,
    /// 8-bit float with 5 bits of exponent.
    F8E5m2,
    /// Signed 8-byte integer.
    I64,
    /// Signed 4-byte integer.
    I32,
    /// Signed 2-byte integer.
    I16,
    /// Signed byte.
    I8,
    /// Unsigned 8-byte integer.
    U64,
    /// Unsigned 4-byte integer.
    U32,
    /// Unsigned 2-byte integer.
    U16,
    /// Unsigned byte.
    U8,
    /// One byte, 0 or 1.
    Bool,
    /// Two f32: real and imaginary part. Listed and read as bytes, not converted.
    C64,
    /// Two f64: real and imaginary part. Listed and read as bytes, not converted.
    C128,
}

/// Type, bytes of a value, name in safetensors, name in torch, torch's class of its typed storage.
type Row = (Dtype, usize, &'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    (Dtype::F64, 8, "F64", "float64", "DoubleStorage"),
    (Dtype::F32, 4, "F32", "float32", "FloatStorage"),
    (Dtype::F16, 2, "F16", "float16", "HalfStorage"),
    (Dtype::Bf16, 2, "BF16", "bfloat16", "BFloat16Storage"),
    (Dtype::F8E4m3, 1, "F8_E4M3", "float8_e4m3fn", ""),
    (Dtype::F8E5m2, 1, "F8_E5M2", "float8_e5m2", ""),
    (Dtype::I64, 8, "I64", "int64", "LongStorage"),
    (Dtype::I32, 4, "I32", "int32", "IntStorage"),
    (Dtype::I16, 2, "I16", "int16", "ShortStorage"),
    (Dtype::I8, 1, "I8", "int8", "CharStorage"),
    (Dtype::U64, 8, "U64", "uint64", ""),
    (Dtype::U32, 4, "U32", "uint32", ""),
    (Dtype::U16, 2, "U16", "uint16", ""),
    (Dtype::U8, 1, "U8", "uint8", "ByteStorage"),
    (Dtype::Bool, 1, "BOOL", "bool", "BoolStorage"),
    (Dtype::C64, 8, "C64", "complex64", "ComplexFloatStorage"),
    (Dtype::C128, 16, "C128", "complex128", "ComplexDoubleStorage"),
];

impl Dtype {
    fn row(self) -> &'static Row {
        ROWS.iter().find(|row| row.0 == self).expect("every type has a row")
    }

    /// Bytes of a value.
    pub fn bytes(self) -> usize {
        self.row().1
    }

    /// Name in a safetensors header, such as `BF16`.
    pub fn safetensors_name(self) -> &'static str {
        self.row().2
    }

    /// Name in torch, such as `bfloat16`.
    pub fn torch_name(self) -> &'static str {
        self.row().3
    }

    /// Class of torch's typed storage, such as `BFloat16Storage`, if the type has one.
    pub fn storage_class(self) -> Option<&'static str> {
        Some(self.row().4).filter(|class| !class.is_empty())
    }

    pub(crate) fn of_safetensors_name(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.2 == name).map(|row| row.0)
    }

    pub(crate) fn of_torch_name(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.3 == name).map(|row| row.0)
    }

    pub(crate) fn of_storage_class(class: &str) -> Option<Self> {
        ROWS.iter()
            .find(|row| !class.is_empty() && row.4 == class)
            .map(|row| row.0)
    }

    /// Whether the values are floats.
    pub fn is_float(self) -> bool {
        use Dtype::*;
        matches!(self, F64 | F32 | F16 | Bf16 | F8E4m3 | F8E5m2)
    }

    /// Whether the values can be converted to f32.
    pub fn is_real(self) -> bool {
        !matches!(self, Self::C64 | Self::C128)
    }

    /// Converts whole values in `bytes` to f32, into every `step`-th element of `out` from its first on.
    ///
    /// f64 and integers are rounded to the nearest f32.
    pub(crate) fn convert(self, bytes: &[u8], out: &mut [f32], step: usize) {
        match self {
            Self::F32 => each(bytes, out, step, f32::from_le_bytes),
            Self::F64 => each(bytes, out, step, |value| f64::from_le_bytes(value) as f32),
            Self::F16 => each(bytes, out, step, |value| half_to_f32(u16::from_le_bytes(value))),
            Self::Bf16 => each(bytes, out, step, |value| {
                f32::from_bits(u32::from(u16::from_le_bytes(value)) << 16)
            }),
            // The upper byte of a half.
            Self::F8E5m2 => each(bytes, out, step, |[value]| half_to_f32(u16::from(value) << 8)),
            Self::F8E4m3 => each(bytes, out, step, |[value]| e4m3_to_f32(value)),
            Self::I64 => each(bytes, out, step, |value| i64::from_le_bytes(value) as f32),
            Self::I32 => each(bytes, out, step, |value| i32::from_le_bytes(value) as f32),
            Self::I16 => each(bytes, out, step, |value| f32::from(i16::from_le_bytes(value))),
            Self::I8 => each(bytes, out, step, |value| f32::from(i8::from_le_bytes(value))),
            Self::U64 => each(bytes, out, step, |value| u64::from_le_bytes(value) as f32),
            Self::U32 => each(bytes, out, step, |value| u32::from_le_bytes(value) as f32),
            Self::U16 => each(bytes, out, step, |value| f32::from(u16::from_le_bytes(value))),
            Self::U8 => each(bytes, out, step, |[value]| f32::from(value)),
            Self::Bool => each(bytes, out, step, |[value]| f32::from(u8::from(value != 0))),
            Self::C64 | Self::C128 => unreachable!("complex values are refused before"),
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.torch_name())
    }
}

fn each<const N: usize>(bytes: &[u8], out: &mut [f32], step: usize, convert: impl Fn([u8; N]) -> f32) {
    let values = bytes.as_chunks().0.iter().map(|&value| convert(value));
    if step == 1 {
        out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
    } else {
        out.iter_mut()
            .step_by(step.max(1))
            .zip(values)
            .for_each(|(out, value)| *out = value);
    }
}

/// Exact: every half is an f32.
fn half_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let (exponent, mantissa) = (u32::from(half >> 10) & 0x1f, u32::from(half) & 0x3ff);
    match exponent {
        0 => {
            let value = mantissa as f32 / (1 << 24) as f32;
            f32::from_bits(value.to_bits() | sign)
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | mantissa << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | mantissa << 13),
    }
}

fn e4m3_to_f32(byte: u8) -> f32 {
    let sign = if byte & 0x80 == 0 { 1.0 } else { -1.0 };
    let (exponent, mantissa) = (i32::from(byte >> 3) & 0xf, f32::from(byte & 7));
    match (exponent, byte & 7) {
        (0xf, 7) => f32::NAN,
        (0, _) => sign * mantissa / 512.0,
        _ => sign * (1.0 + mantissa / 8.0) * f32::powi(2.0, exponent - 7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(dtype: Dtype, bytes: &[u8]) -> f32 {
        let mut out = [f32::MAX];
        dtype.convert(bytes, &mut out, 1);
        out[0]
    }

    #[test]
    fn halves_are_converted_exactly() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(one(Dtype::F16, &u16::to_le_bytes(bits)), value, "{bits:#06x}");
        }
        assert!(one(Dtype::F16, &[0x00, 0x7e]).is_nan());
        assert!(one(Dtype::F16, &[0x00, 0x80]).is_sign_negative());
    }

    /// Values of `torch.tensor([..], dtype=torch.uint8).view(torch.float8_e4m3fn).float()`, and of `float8_e5m2`.
    #[test]
    fn small_floats_are_converted_as_in_torch() {
        for (byte, value) in [(0x01, 0.001_953_125), (0x38, 1.0), (0xc1, -2.25), (0x7e, 448.0)] {
            assert_eq!(one(Dtype::F8E4m3, &[byte]), value, "{byte:#04x}");
        }
        assert!(one(Dtype::F8E4m3, &[0xff]).is_nan());
        for (byte, value) in [(0x01, 1.525_878_9e-5), (0x3c, 1.0), (0xc1, -2.5), (0x7b, 57344.0)] {
            assert_eq!(one(Dtype::F8E5m2, &[byte]), value, "{byte:#04x}");
        }
        assert_eq!(one(Dtype::F8E5m2, &[0x7c]), f32::INFINITY);
    }

    #[test]
    fn integers_and_truths_are_converted() {
        assert_eq!(one(Dtype::I8, &[0xff]), -1.0);
        assert_eq!(one(Dtype::U8, &[0xff]), 255.0);
        assert_eq!(one(Dtype::I16, &(-300i16).to_le_bytes()), -300.0);
        assert_eq!(one(Dtype::U16, &60_000u16.to_le_bytes()), 60_000.0);
        assert_eq!(one(Dtype::I64, &(-5i64).to_le_bytes()), -5.0);
        assert_eq!(one(Dtype::U64, &u64::MAX.to_le_bytes()), 18_446_744_073_709_551_615.0);
        assert_eq!(one(Dtype::Bool, &[1]), 1.0);
        assert_eq!(one(Dtype::F64, &0.1f64.to_le_bytes()), 0.1);
    }

    #[test]
    fn a_step_leaves_what_lies_between() {
        let mut out = [9.0; 5];
        Dtype::U8.convert(&[1, 2, 3], &mut out, 2);
        assert_eq!(out, [1.0, 9.0, 2.0, 9.0, 3.0]);
    }
}
