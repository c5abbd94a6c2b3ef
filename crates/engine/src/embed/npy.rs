//! NumPy's format, version 1.0: a header with the shape, then the values. The number of rows is known at the end only, so the
//! header has room for it and is written last.

use super::table;
use super::writer::{FeatureRow, FeatureWriter};
use crate::files::StreamedFile;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Bytes before the values: a multiple of 64, with room for every shape.
const HEADER: usize = 128;

/// Writes `F.npy` and `F.csv`.
pub(super) struct NpyWriter {
    array: StreamedFile,
    list: StreamedFile,
    width: usize,
    rows: usize,
}

impl NpyWriter {
    pub(super) fn create(path: &Path, width: usize) -> Result<Self> {
        let mut array = StreamedFile::create(path)?;
        array.write(&header(0, width))?;
        let mut list = StreamedFile::create(&path.with_extension("csv"))?;
        list.write(table::HEADER.as_bytes())?;
        Ok(Self {
            array,
            list,
            width,
            rows: 0,
        })
    }
}

impl FeatureWriter for NpyWriter {
    fn append(&mut self, rows: &[FeatureRow], values: &[f32]) -> Result<()> {
        assert_eq!(values.len(), rows.len() * self.width, "features of {} rows", rows.len());
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.array.write(&bytes)?;
        let lines: String = rows.iter().map(table::line).collect();
        self.list.write(lines.as_bytes())?;
        self.rows += rows.len();
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<PathBuf>> {
        self.array.overwrite_start(&header(self.rows, self.width))?;
        // The list first: where the array lies, the names of its rows do, too.
        let list = self.list.persist()?;
        Ok(vec![self.array.persist()?, list])
    }
}

fn header(rows: usize, width: usize) -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(((HEADER - 10) as u16).to_le_bytes());
    header.extend(text.as_bytes());
    header.resize(HEADER - 1, b' ');
    header.push(b'\n');
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_numpys() {
        let bytes = header(1_281_167, 2048);
        assert_eq!((bytes.len(), &bytes[..10]), (128, &b"\x93NUMPY\x01\x00\x76\x00"[..]));
        let text = std::str::from_utf8(&bytes[10..]).unwrap();
        assert_eq!(
            text.trim_end(),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1281167, 2048), }"
        );
        assert!(text.ends_with('\n'));
        assert_eq!(header(usize::MAX, usize::MAX).len(), 128, "every shape fits");
    }

    #[test]
    fn nothing_is_there_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.npy");
        let mut writer = Box::new(NpyWriter::create(&path, 2).unwrap());
        let row = FeatureRow {
            path: "a/1.png".into(),
            classes: vec!["a".into()],
        };
        writer.append(&[row.clone(), row], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!(!path.exists());
        let files = writer.finish().unwrap();
        assert_eq!(files, [path.clone(), folder.path().join("f.csv")]);
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(bytes[..128], header(2, 2));
        assert_eq!(bytes[128..], [1.0f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes).concat());
        let list = std::fs::read_to_string(&files[1]).unwrap();
        assert_eq!(list, "path,label\na/1.png,a\na/1.png,a\n");
    }
}
