//! Data loading: image files on disk to ordered batches of views, prefetched for the device through a bounded queue.
//!
//! [`Splits`] opens a set of any format, an [`ImageSource`] returns its decoded images ([`DecodedSet`] holds small sets in
//! memory), [`ViewLoader`] turns a source into batches whose content depends on `(seed, epoch)` alone, never on the number
//! of workers. [`eval_pixels`] and [`channel_statistics`] are the two other consumers of a source.
//!
//! This crate must not know models, losses or optimisers, and must not use the network.

mod batch;
mod batch_maker;
mod burn_dataset;
mod cache;
mod classes;
mod coco;
mod decoded;
mod detection;
mod epoch;
mod error;
mod eval;
mod extensions;
mod folder;
mod format;
mod holdout;
mod index;
pub mod inspect;
mod joined;
mod layout;
mod left_out;
mod leftovers;
mod list;
mod lists;
mod loader;
mod loader_config;
mod parquet;
mod path_names;
mod read;
mod sets;
mod shards;
mod shuffle;
mod source;
mod split_names;
mod splits;
mod statistics;
mod subset;
mod voc;
mod webdataset;

pub use batch::{DeviceBatch, HostBatch, HostView};
pub use burn_dataset::SourceDataset;
pub use cache::{
    CACHE_VERSION, CacheEntry, CacheError, CacheFault, CacheIndex, CacheState, DiskCache, DiskCacheConfig,
};
pub use coco::{
    CocoAnnotations, CocoCategory, CocoError, CocoImage, CocoObject, CocoProblem, CocoProblems, CocoSet, RunCounts,
    Segmentation, parse_coco, read_coco,
};
pub use decoded::DecodedSet;
pub use detection::{
    DetectionError, DetectionImage, DetectionLayout, DetectionObject, DetectionParts, DetectionProblem,
    DetectionProblems, DetectionSet, DetectionSets, open_detection,
};
pub use epoch::EpochIter;
pub use error::DataError;
pub use eval::eval_pixels;
pub use extensions::{IMAGE_EXTENSIONS, UNREADABLE_IMAGE_EXTENSIONS, unreadable_image_extension};
pub use folder::ImageFolder;
pub use format::{DataFormat, detect};
pub use holdout::{HeldOut, hold_out};
pub use index::{FolderIndex, FolderLayout, IndexCache, IndexError, IndexNote, StoredIndex, parse_index};
pub use joined::Joined;
pub use left_out::{LeftOut, LeftOutCount, LeftOutReason};
pub use list::{
    BadLine, FileList, ListColumns, ListError, ListLine, ListOptions, Table, TableRow, parse_list, parse_table,
};
pub use loader::ViewLoader;
pub use loader_config::LoaderConfig;
pub use parquet::{ParquetFile, ParquetSet};
pub use sets::{
    CIFAR_SIDE, CifarFault, CifarKind, CifarSet, ConvertedItem, DatasetSource, IdxArray, IdxFault, IdxSet, IdxType,
    MAX_IDX_BYTES, MemorySet, SetError, Split, check_cifar_records, parse_cifar_names,
};
pub use shards::{LeftOutOfShards, ShardError, expand_pattern};
pub use shuffle::shuffled_indices;
pub use source::{BadImages, ImageSource, LabelledImage, Skipped};
pub use splits::{OpenOptions, Splits};
pub use statistics::channel_statistics;
pub use subset::Subset;
pub use voc::{AnnotatedObject, Annotation, BoundingBox, VocError, VocSet, parse_annotation};
pub use webdataset::{StoredTars, TarFault, TarIndex, TarStamp, WebDataset, index_tar, parse_tar_indexes};
