//! Table of the public sets that can be fetched: description, terms, files with sizes and checksums, and final form.
//!
//! Plain data, so that a set is added by one entry. This file must not know how anything is downloaded or unpacked.
//!
//! Sizes and SHA-256 are those that TensorFlow Datasets 4.9.10 publishes (`checksums.tsv` of imagenette and stl10,
//! `url_checksums/{cifar10,cifar100,fashion_mnist,mnist}.txt` in its wheel), for the addresses given here. MNIST is the
//! exception: TensorFlow lists its own copy of the files (storage.googleapis.com/cvdf-datasets/mnist); torch-rb's
//! torchvision publishes the same four SHA-256 for the address below, which is torchvision's first mirror.

/// A public set of images.
#[derive(Debug, Clone, Copy)]
pub struct Set {
    /// Its name on the command line and of its folder.
    pub name: &'static str,
    /// Description in one line: images, pixels, classes.
    pub about: &'static str,
    /// Terms of use in one line, as far as they are stated.
    pub terms: &'static str,
    /// The files to download.
    pub files: &'static [Remote],
    /// How the files become the set's folder.
    pub form: Form,
    /// Paths below the set's folder that must exist in the end.
    pub holds: &'static [&'static str],
    /// Maximal number of bytes that unpacking may write: about 1.5 times the size of the genuine files.
    pub max_bytes: u64,
}

/// A file of a set on its publisher's server.
#[derive(Debug, Clone, Copy)]
pub struct Remote {
    /// Its URL.
    pub address: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: &'static str,
}

/// How files become the set's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Each file is a gzip of one file with the same name without `.gz`.
    Gzip,
    /// One tar.gz, of which everything below the folder `top` is unpacked.
    TarGz {
        /// The archive's only top folder.
        top: &'static str,
    },
    /// STL-10's tar.gz: pixels in column order, which become PNG files.
    Stl10 {
        /// The archive's only top folder.
        top: &'static str,
    },
}

impl Set {
    /// The set of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SETS.iter().find(|set| set.name == name)
    }

    /// Bytes to download.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl Remote {
    /// The last part of its URL.
    pub fn name(&self) -> &'static str {
        self.address.rsplit('/').next().unwrap_or(self.address)
    }
}

const IDX: &[&str] = &[
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Every set, in the order in which they are listed.
pub const SETS: &[Set] = &[
    Set {
        name: "cifar10",
        about: "60,000 colour images of 32x32 in 10 classes, 50,000 to train on",
        terms: "no licence stated; the publisher asks to cite Krizhevsky 2009, Learning Multiple Layers of Features from \
                Tiny Images",
        files: &[Remote {
            address: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            bytes: 170_052_171,
            sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        }],
        form: Form::TarGz {
            top: "cifar-10-batches-bin",
        },
        holds: &[
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
            "test_batch.bin",
            "batches.meta.txt",
        ],
        max_bytes: 300_000_000,
    },
    Set {
        name: "cifar100",
        about: "60,000 colour images of 32x32 in 100 classes (20 coarse ones), 50,000 to train on",
        terms: "no licence stated; the publisher asks to cite Krizhevsky 2009, Learning Multiple Layers of Features from \
                Tiny Images",
        files: &[Remote {
            address: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            bytes: 168_513_733,
            sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        }],
        form: Form::TarGz {
            top: "cifar-100-binary",
        },
        holds: &[
            "train.bin",
            "test.bin",
            "fine_label_names.txt",
            "coarse_label_names.txt",
        ],
        max_bytes: 300_000_000,
    },
    Set {
        name: "fashion-mnist",
        about: "70,000 grey images of 28x28 in 10 classes of clothing, 60,000 to train on",
        terms: "MIT, copyright Zalando SE; cite Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747",
        files: &[
            Remote {
                address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz",
                bytes: 26_421_880,
                sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            },
            Remote {
                address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-labels-idx1-ubyte.gz",
                bytes: 29_515,
                sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            },
            Remote {
                address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-images-idx3-ubyte.gz",
                bytes: 4_422_102,
                sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            },
            Remote {
                address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
                bytes: 5_148,
                sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            },
        ],
        form: Form::Gzip,
        holds: IDX,
        max_bytes: 80_000_000,
    },
    Set {
        name: "mnist",
        about: "70,000 grey images of 28x28 of handwritten digits, 60,000 to train on",
        terms: "copyright Yann LeCun and Corinna Cortes; CC BY-SA 3.0 according to Keras's documentation",
        files: &[
            Remote {
                address: "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
                bytes: 9_912_422,
                sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            },
            Remote {
                address: "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
                bytes: 28_881,
                sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            },
            Remote {
                address: "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
                bytes: 1_648_877,
                sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            },
            Remote {
                address: "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
                bytes: 4_542,
                sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            },
        ],
        form: Form::Gzip,
        holds: IDX,
        max_bytes: 80_000_000,
    },
    Set {
        name: "stl10",
        about: "5,000 + 8,000 colour images of 96x96 in 10 classes, and 100,000 without labels (in unlabeled/)",
        terms: "no licence stated, images from ImageNet; the publisher asks to cite Coates, Lee, Ng, AISTATS 2011",
        files: &[Remote {
            address: "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
            bytes: 2_640_397_119,
            sha256: "f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",
        }],
        form: Form::Stl10 { top: "stl10_binary" },
        holds: &["train", "test", "unlabeled", "fold_indices.txt"],
        max_bytes: 4_700_000_000,
    },
    Set {
        name: "imagenette",
        about: "13,394 photos in 10 easy classes of ImageNet, shorter side 320, 9,469 to train on",
        terms: "collection Apache-2.0 (fast.ai); the photos are ImageNet's: for non-commercial research",
        files: &[Remote {
            address: "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
            bytes: 341_663_724,
            sha256: "569b4497c98db6dd29f335d1f109cf315fe127053cedf69010d047f0188e158c",
        }],
        form: Form::TarGz { top: "imagenette2-320" },
        holds: &["train", "val"],
        max_bytes: 600_000_000,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_checksum_is_a_sha256_and_every_name_is_one_file() {
        for set in SETS {
            assert!(
                Set::named(set.name).is_some_and(|found| found.about == set.about),
                "{}",
                set.name
            );
            assert!(!set.holds.is_empty() && set.max_bytes > set.bytes(), "{}", set.name);
            for file in set.files {
                let digits = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                assert!(file.sha256.len() == 64 && digits(file.sha256), "{}", file.address);
                assert!(!file.name().is_empty() && file.bytes > 0, "{}", file.address);
                assert!(file.name().ends_with("gz"), "{}", file.address);
            }
        }
        assert!(Set::named("imagenet").is_none());
    }
}
