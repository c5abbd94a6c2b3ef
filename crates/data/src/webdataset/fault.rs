//! What may be wrong with a tar of images.

use std::fmt;

/// A kind of fault in a tar, with how often it occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TarFault {
    /// Bytes that are not a header where one belongs, so that nothing after them can be read.
    BadHeader,
    /// A member ends after the file's end, so that nothing after it can be read.
    Truncated,
    /// A second member of the same name.
    Duplicate,
    /// A label without an image.
    NoImage,
    /// A label that is not text, not JSON or too long; its image is not used.
    BadLabel,
    /// An image that is a link, a sparse file or larger than any image.
    NotPlain,
}

impl TarFault {
    pub(super) const ALL: [Self; 6] = [
        Self::BadHeader,
        Self::Truncated,
        Self::Duplicate,
        Self::NoImage,
        Self::BadLabel,
        Self::NotPlain,
    ];

    /// What such things are, as a plural.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::BadHeader => "tar headers that are damaged, so that the rest of their shard is lost",
            Self::Truncated => "tar members that are cut off at the end of their shard",
            Self::Duplicate => "members that repeat the name of another in their shard",
            Self::NoImage => "labels without an image",
            Self::BadLabel => "images whose label cannot be read",
            Self::NotPlain => "images that are links, sparse files or over 512 MiB",
        }
    }
}

impl fmt::Display for TarFault {
    /// One such fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadHeader => "there is no valid tar header",
            Self::Truncated => "the file ends within a member",
            Self::Duplicate => "the shard holds a member of this name before",
            Self::NoImage => "the label has no image",
            Self::BadLabel => "the label cannot be read",
            Self::NotPlain => "the image is a link, a sparse file or over 512 MiB",
        })
    }
}
