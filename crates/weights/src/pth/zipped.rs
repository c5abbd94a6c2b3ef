//! The format since torch 1.6: a zip archive with `data.pkl` and one entry a storage.

use super::build::{MAX_PICKLE, Storages, build};
use crate::contents::{Contents, Format};
use crate::error::{Fault, quoted};
use crate::pickle::parse;
use crate::source::Source;
use crate::stored::{Segment, StoredTensor};
use crate::zip::Zip;

struct Archive {
    zip: Zip,
    folder: String,
}

impl Storages for Archive {
    fn storage(&self, key: &str) -> Result<Option<Segment>, Fault> {
        self.zip.find(&format!("{}data/{key}", self.folder))
    }

    fn tensor(&self, _key: &str) -> Option<&StoredTensor> {
        None
    }
}

pub(crate) fn read_zip(source: &Source) -> Result<Contents, Fault> {
    let zip = Zip::read(source)?;
    let folders: Vec<String> = zip
        .names()
        .filter_map(|name| name.strip_suffix("data.pkl"))
        .filter(|folder| folder.is_empty() || folder.ends_with('/'))
        .map(str::to_owned)
        .collect();
    let folder = match &folders[..] {
        [folder] => folder.clone(),
        [] => {
            return Err(Fault::Format {
                what: "a zip archive without data.pkl",
            });
        }
        [first, second, ..] => {
            let (first, second) = (quoted(first), quoted(second));
            return Err(Fault::Archive(format!("it has a data.pkl in {first} and in {second}")));
        }
    };
    if zip.find(&format!("{folder}constants.pkl"))?.is_some() {
        return Err(Fault::Format {
            what: "a TorchScript program, not a state dict",
        });
    }
    if let Some(order) = zip.find(&format!("{folder}byteorder"))? {
        match &source.part(order.offset, order.bytes.min(16), "the byte order")?[..] {
            b"little" => {}
            b"big" => return Err(Fault::BigEndian),
            _ => return Err(Fault::Archive("its byte order is neither little nor big".to_owned())),
        }
    }
    let pickle = zip.find(&format!("{folder}data.pkl"))?.expect("it was listed");
    if pickle.bytes > MAX_PICKLE {
        return Err(Fault::Limit {
            what: "bytes of the pickle",
            limit: MAX_PICKLE,
        });
    }
    let graph = parse(&source.part(pickle.offset, pickle.bytes, "data.pkl")?)?;
    build(&graph, &Archive { zip, folder }, Format::PthZip)
}
