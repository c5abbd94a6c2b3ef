//! From the samples of a JPEG's components to pixels: upsampling and colours as libjpeg-turbo makes them, CMYK as Pillow
//! converts it.

use std::ops::Range;

use super::frame::{Component, Frame};
use crate::CropBox;
use crate::simd::vectorised;

/// What the components mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    Grey,
    Rgb,
    YCbCr,
    /// Stored inverted, as Adobe's programs do; Pillow assumes it of every file.
    Cmyk,
    /// CMYK whose colours are coded as YCbCr.
    Ycck,
}

/// Pixels of a region of an image, written row by row as soon as their samples are known.
pub(super) struct Output {
    colours: Colours,
    region: CropBox,
    /// Interleaved RGB; grey for [`Colours::Grey`].
    pixels: Vec<u8>,
    /// The next row of the image to be written.
    next: usize,
    upsamplers: Vec<Upsampler>,
}

impl Output {
    pub(super) fn new(frame: &Frame, colours: Colours, region: CropBox) -> Self {
        let channels = if colours == Colours::Grey { 1 } else { 3 };
        Self {
            colours,
            region,
            pixels: vec![0; channels * region.width * region.height],
            next: region.top,
            upsamplers: frame
                .components
                .iter()
                .map(|component| Upsampler::new(component, frame, region))
                .collect(),
        }
    }

    /// Writes all rows before row `end`, whose samples and those of the row below must be in the components' planes.
    pub(super) fn write(&mut self, frame: &Frame, end: usize) {
        let stride = self.pixels.len() / self.region.height;
        let written = stride * (self.next - self.region.top);
        let rows = self.next..end.min(self.region.top + self.region.height);
        self.next = self.next.max(rows.end);
        for (y, out) in rows.zip(self.pixels[written..].chunks_exact_mut(stride)) {
            let mut planes = self.upsamplers.iter_mut().zip(&frame.components);
            let mut row = || {
                let next = planes.next();
                next.map_or(&[][..], |(upsampler, component)| upsampler.row(component, y))
            };
            match self.colours {
                Colours::Grey => out.copy_from_slice(row()),
                Colours::Rgb => rgb_row(row(), row(), row(), out),
                Colours::YCbCr => ycc_row(row(), row(), row(), out),
                Colours::Cmyk => {
                    rgb_row(row(), row(), row(), out);
                    out.iter_mut().for_each(|value| *value = 255 - *value);
                    add_black(row(), out);
                }
                Colours::Ycck => {
                    ycc_row(row(), row(), row(), out);
                    add_black(row(), out);
                }
            }
        }
    }

    /// The pixels, all of which must be written, and whether they are grey.
    pub(super) fn finish(self) -> (Vec<u8>, bool) {
        (self.pixels, self.colours == Colours::Grey)
    }
}

/// Brings the rows of a component to the size of the image.
struct Upsampler {
    kind: Kind,
    /// Samples in a row that are read: those of the region, and where there is one another on both sides.
    columns: Range<usize>,
    /// Where the region begins in what they are spread to, and its length.
    start: usize,
    width: usize,
    out: Vec<u8>,
    sums: Vec<u16>,
}

/// How samples are spread. The triangle filters are libjpeg's "fancy" ones.
enum Kind {
    None,
    /// Twice as wide.
    Wide,
    /// Twice as high.
    High,
    /// Both.
    Both,
    /// Repeated.
    Box {
        h: usize,
        v: usize,
    },
}

impl Upsampler {
    fn new(component: &Component, frame: &Frame, region: CropBox) -> Self {
        let (h, v) = (frame.most_h / component.h, frame.most_v / component.v);
        let kind = match (h, v) {
            (1, 1) => Kind::None,
            (2, 1) if component.width > 2 => Kind::Wide,
            (1, 2) => Kind::High,
            (2, 2) if component.width > 2 => Kind::Both,
            _ => Kind::Box { h, v },
        };
        // At the ends of what is read, the triangle filters take it for the whole row: the next pixel on is correct.
        let columns =
            (region.left / h).saturating_sub(1)..((region.left + region.width - 1) / h + 2).min(component.width);
        Self {
            kind,
            start: region.left - h * columns.start,
            width: region.width,
            out: vec![0; h * columns.len()],
            sums: vec![0; columns.len()],
            columns,
        }
    }

    /// The region's part of row `y` of the image.
    fn row<'a>(&'a mut self, component: &'a Component, y: usize) -> &'a [u8] {
        let columns = self.columns.clone();
        let samples = |row: usize| &component.samples(row)[columns.clone()];
        // The row that covers `y`, and the one next to it on the other side of `y`.
        let near = y / 2;
        let far = if y.is_multiple_of(2) {
            near.saturating_sub(1)
        } else {
            (near + 1).min(component.height - 1)
        };
        match self.kind {
            Kind::None => return &samples(y)[self.start..][..self.width],
            Kind::Wide => widen(samples(y), &mut self.out),
            Kind::High => heighten(samples(near), samples(far), 1 + (y % 2) as u16, &mut self.out),
            Kind::Both => {
                sum_rows(samples(near), samples(far), &mut self.sums);
                widen_sums(&self.sums, &mut self.out);
            }
            Kind::Box { h, v } => {
                for (out, &sample) in self.out.chunks_exact_mut(h).zip(samples(y / v)) {
                    out.fill(sample);
                }
            }
        }
        &self.out[self.start..][..self.width]
    }
}

vectorised! {
    fn widen<'a>(samples: &'a [u8], out: &'a mut [u8]) {
        let last = samples.len() - 1;
        let quarter = |near: u8, far: u8, bias: u16| ((3 * u16::from(near) + u16::from(far) + bias) >> 2) as u8;
        out[0] = samples[0];
        out[1] = quarter(samples[0], samples[1], 2);
        let inner = out[2..2 * last].as_chunks_mut::<2>().0.iter_mut();
        for (((out, left), near), right) in inner.zip(samples).zip(&samples[1..]).zip(&samples[2..]) {
            *out = [quarter(*near, *left, 1), quarter(*near, *right, 2)];
        }
        out[2 * last] = quarter(samples[last], samples[last - 1], 1);
        out[2 * last + 1] = samples[last];
    }
}

vectorised! {
    fn heighten<'a>(near: &'a [u8], far: &'a [u8], bias: u16, out: &'a mut [u8]) {
        for ((out, near), far) in out.iter_mut().zip(near).zip(far) {
            *out = ((3 * u16::from(*near) + u16::from(*far) + bias) >> 2) as u8;
        }
    }
}

vectorised! {
    fn sum_rows<'a>(near: &'a [u8], far: &'a [u8], sums: &'a mut [u16]) {
        for ((sum, near), far) in sums.iter_mut().zip(near).zip(far) {
            *sum = 3 * u16::from(*near) + u16::from(*far);
        }
    }
}

vectorised! {
    fn widen_sums<'a>(sums: &'a [u16], out: &'a mut [u8]) {
        let last = sums.len() - 1;
        let sixteenth = |near: u16, far: u16, bias: u16| ((3 * near + far + bias) >> 4) as u8;
        out[0] = ((4 * sums[0] + 8) >> 4) as u8;
        out[1] = sixteenth(sums[0], sums[1], 7);
        let inner = out[2..2 * last].as_chunks_mut::<2>().0.iter_mut();
        for (((out, left), near), right) in inner.zip(sums).zip(&sums[1..]).zip(&sums[2..]) {
            *out = [sixteenth(*near, *left, 8), sixteenth(*near, *right, 7)];
        }
        out[2 * last] = sixteenth(sums[last], sums[last - 1], 8);
        out[2 * last + 1] = ((4 * sums[last] + 7) >> 4) as u8;
    }
}

vectorised! {
    fn rgb_row<'a>(r: &'a [u8], g: &'a [u8], b: &'a [u8], out: &'a mut [u8]) {
        for (((out, r), g), b) in out.as_chunks_mut::<3>().0.iter_mut().zip(r).zip(g).zip(b) {
            *out = [*r, *g, *b];
        }
    }
}

/// Pixels that are converted at once.
const CHUNK: usize = 256;

vectorised! {
    fn ycc_row<'a>(y: &'a [u8], cb: &'a [u8], cr: &'a [u8], out: &'a mut [u8]) {
        // 16 bits of fraction, as in libjpeg.
        let half = 1 << 15;
        let (mut r, mut g, mut b) = ([0; CHUNK], [0; CHUNK], [0; CHUNK]);
        let chunks = y.chunks(CHUNK).zip(cb.chunks(CHUNK)).zip(cr.chunks(CHUNK));
        for (((y, cb), cr), out) in chunks.zip(out.chunks_mut(3 * CHUNK)) {
            // Planes first: compilers vectorise this loop, and the interleaving of bytes, but not both at once.
            let colours = r.iter_mut().zip(&mut g).zip(&mut b);
            for (((r, g), b), ((y, cb), cr)) in colours.zip(y.iter().zip(cb).zip(cr)) {
                let (y, cb, cr) = (i32::from(*y), i32::from(*cb) - 128, i32::from(*cr) - 128);
                *r = (y + ((91_881 * cr + half) >> 16)).clamp(0, 255) as u8;
                *g = (y + ((half - 22_554 * cb - 46_802 * cr) >> 16)).clamp(0, 255) as u8;
                *b = (y + ((116_130 * cb + half) >> 16)).clamp(0, 255) as u8;
            }
            for (((out, r), g), b) in out.as_chunks_mut::<3>().0.iter_mut().zip(&r).zip(&g).zip(&b) {
                *out = [*r, *g, *b];
            }
        }
    }
}

/// Pillow's conversion of CMYK to RGB: `out` holds CMY and `black` the inverted K.
fn add_black(black: &[u8], out: &mut [u8]) {
    for (cmy, &black) in out.as_chunks_mut::<3>().0.iter_mut().zip(black) {
        *cmy = cmy.map(|ink| {
            let product = u32::from(ink) * u32::from(black) + 128;
            black.saturating_sub((((product >> 8) + product) >> 8) as u8)
        });
    }
}
