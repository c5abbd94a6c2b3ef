//! Benchmark inputs: every image below a folder, or one synthetic JPEG many times.

use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Benchmark images by index.
pub struct Images {
    files: Vec<PathBuf>,
    synthetic: Vec<u8>,
    count: usize,
}

impl Images {
    /// The images below `folder`; without a folder, a JPEG of ImageNet's usual size for large views and of CIFAR's for small.
    pub fn of(folder: Option<&Path>, pixels: usize) -> Self {
        let mut files = Vec::new();
        if let Some(folder) = folder {
            collect(folder, &mut files);
            files.sort();
            assert!(!files.is_empty(), "no jpg, jpeg or png below {}", folder.display());
        }
        let (width, height, count) = if pixels > 64 { (500, 375, 100) } else { (32, 32, 2000) };
        Self {
            count: if files.is_empty() { count } else { files.len() },
            synthetic: synthetic_jpeg(width, height),
            files,
        }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// The bytes of one image, read again on each call.
    pub fn bytes(&self, index: usize) -> Vec<u8> {
        match self.files.get(index) {
            Some(file) => std::fs::read(file).expect("a readable file"),
            None => self.synthetic.clone(),
        }
    }

    /// The name of one image, for messages.
    pub fn name(&self, index: usize) -> String {
        self.files
            .get(index)
            .map_or("synthetic".into(), |file| file.display().to_string())
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        if path.is_dir() {
            collect(&path, files);
        } else if extension.is_some_and(|e| ["jpg", "jpeg", "png"].contains(&e.as_str())) {
            files.push(path);
        }
    }
}

/// A JPEG with detail everywhere.
fn synthetic_jpeg(width: u32, height: u32) -> Vec<u8> {
    let image = image::RgbImage::from_fn(width, height, |x, y| {
        let wave =
            |c: u32| (127.5 + 80.0 * ((x * y + 900 * c) as f32 * 0.003).sin() + ((x * 7 + y * 13) % 40) as f32) as u8;
        image::Rgb([wave(0), wave(1), wave(2)])
    });
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .expect("an encodable image");
    bytes.into_inner()
}
