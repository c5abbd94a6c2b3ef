//! The record of what a program launches on the stub driver: one line per kernel and per copy, in the file that
//! `CUDA_CHECK_LAUNCHES` names.
//!
//! A launch is `kernel HASH GRID_X,GRID_Y,GRID_Z SCALARS WORDS SHAPES`: the name of its source, and the arrays in which CubeCL
//! passes scalars, lengths of the buffers, and shapes and strides (`signature.rs`), comma-separated or `-`. A copy is `copy
//! DIRECTION BYTES`.
//!
//! With `CUDA_CHECK_PRICES` a launch also costs time, which the next synchronisation waits for: CubeCL's tuning measures
//! candidates by the clock, and without a price it would select the one that is fastest to launch. The prices order the
//! candidates of one operation; they predict no GPU.

use crate::signature::{self, Signature};
use std::collections::HashMap;
use std::ffi::c_void;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// Seconds of a launch that does nothing.
const LAUNCH: f64 = 5e-6;
/// Multiprocessors: fewer blocks use a part of the other rates.
const PROCESSORS: f64 = 108.0;
/// How much slower than these rates launches are, so that the host's own time, which varies, selects nothing.
const SLOWER: f64 = 5.0;
/// Bytes per second.
const BANDWIDTH: f64 = 1.5e12;
/// Operations per second of a kernel with matrix units, of a tiled product without them, and of a thread per output.
const RATES: [f64; 3] = [4e13, 8e12, 1e12];

struct Recorder {
    file: Option<File>,
    has_prices: bool,
    kernels: HashMap<u64, Option<Priced>>,
    /// Seconds that the next synchronisation waits.
    debt: f64,
}

struct Priced {
    signature: Signature,
    /// Operations per second, of a kernel that multiplies.
    rate: Option<f64>,
}

fn recorder() -> &'static Mutex<Recorder> {
    static RECORDER: OnceLock<Mutex<Recorder>> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let path = std::env::var_os("CUDA_CHECK_LAUNCHES");
        let open = |path| File::options().create(true).append(true).open(path);
        Mutex::new(Recorder {
            file: path.map(|path| open(path).expect("CUDA_CHECK_LAUNCHES is a file")),
            has_prices: std::env::var_os("CUDA_CHECK_PRICES").is_some(),
            kernels: HashMap::new(),
            debt: 0.0,
        })
    })
}

/// Records a copy between host and device.
pub fn copied(direction: &str, bytes: usize) {
    if let Some(file) = &mut recorder().lock().unwrap().file {
        writeln!(file, "copy {direction} {bytes}").expect("the file of launches is writable");
    }
}

/// Waits as long as the launches since the last call cost.
pub fn wait() {
    let debt = std::mem::take(&mut recorder().lock().unwrap().debt);
    if debt > 0.0 {
        std::thread::sleep(Duration::from_secs_f64(debt));
    }
}

/// Records the launch of the kernel whose source is named by `number`.
///
/// # Safety
/// `arguments` holds one pointer per argument of the kernel.
pub unsafe fn launched(number: u64, grid: [u32; 3], arguments: *const *const c_void) {
    let mut guard = recorder().lock().unwrap();
    let recorder = &mut *guard;
    if recorder.file.is_none() && !recorder.has_prices {
        return;
    }
    let Some(Priced { signature, rate }) = recorder.kernels.entry(number).or_insert_with(|| read(number)) else {
        return;
    };
    let [scalars, words, shapes] = unsafe { constants(signature, arguments) };
    if recorder.has_prices {
        recorder.debt += price(signature, *rate, grid, &scalars, &words);
    }
    if let Some(file) = &mut recorder.file {
        let list = |values: &[u64]| match values {
            [] => "-".to_owned(),
            values => values.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
        };
        let grid = grid.map(u64::from);
        let line = format!(
            "kernel {number:016x} {} {} {} {}\n",
            list(&grid),
            list(&scalars),
            list(&words),
            list(&shapes)
        );
        file.write_all(line.as_bytes())
            .expect("the file of launches is writable");
    }
}

fn read(number: u64) -> Option<Priced> {
    let folder = std::env::var_os("CUDA_CHECK_SOURCES")?;
    let path = std::path::Path::new(&folder).join(format!("{number:016x}.cu"));
    let source = std::fs::read_to_string(path).ok()?;
    let signature = Signature::of(&source)?;
    let [matrix_units, tiled, one_thread] = RATES;
    let rate = match signature.name.as_str() {
        name if name.contains("matmul") && (source.contains("wmma::") || source.contains("mma.sync")) => {
            Some(matrix_units)
        }
        name if name.contains("matmul") => Some(tiled),
        name if name.contains("conv") => Some(one_thread),
        _ => None,
    };
    Some(Priced { signature, rate })
}

/// Seconds: reading and writing every buffer once, or the multiplications.
fn price(signature: &Signature, rate: Option<f64>, grid: [u32; 3], scalars: &[u64], words: &[u64]) -> f64 {
    let buffers = signature.buffers.iter().zip(words);
    let sizes = buffers.map(|(buffer, &length)| (buffer, length as f64));
    let uses = |buffer: &crate::signature::Buffer| f64::from(u8::from(buffer.is_read) + u8::from(buffer.is_written));
    let bytes: f64 = sizes
        .clone()
        .map(|(buffer, length)| length * buffer.element_bytes as f64 * uses(buffer))
        .sum();
    // b times [m, k] · [k, n] = [m, n]: the product of the three sizes is b³·(m·k·n)².
    let values: f64 = sizes
        .map(|(buffer, length)| length * buffer.width as f64)
        .take(3)
        .product();
    let operations = rate.map_or(0.0, |rate| {
        2.0 * (values / signature::batch(scalars) as f64).sqrt() / rate
    });
    let blocks: f64 = grid.iter().map(|&side| f64::from(side)).product();
    let occupied = (blocks / PROCESSORS).clamp(1.0 / PROCESSORS, 1.0);
    SLOWER * (LAUNCH + operations.max(bytes / BANDWIDTH) / occupied)
}

/// The scalars as words of 32 bits, the lengths of the buffers, and shapes and strides of tensors.
unsafe fn constants(signature: &Signature, arguments: *const *const c_void) -> [Vec<u64>; 3] {
    if !signature.constants_in_place {
        return [const { Vec::new() }; 3];
    }
    let before = signature.tensor_maps + signature.buffers.len();
    // SAFETY: the arguments are tensor maps, buffers, shapes if there are any, constants; device memory is the host's.
    unsafe {
        let argument = |index: usize| *arguments.add(index);
        let info = argument(before + usize::from(signature.has_dynamic_meta)).cast::<u8>();
        let scalars = numbers(info, signature.scalar_bytes / 4, 4);
        let words = numbers(
            info.add(signature.scalar_bytes),
            signature.meta_words,
            signature.word_bytes,
        );
        if !signature.has_dynamic_meta {
            return [scalars, words, Vec::new()];
        }
        let (tensors, base) = (signature.tensors(), 2 * signature.buffers.len());
        let last = base + tensors;
        let count = match tensors {
            0 => 0,
            // The strides of the last tensor are the end.
            _ => {
                words[last + 2 * tensors - tensors..][..tensors]
                    .last()
                    .map_or(0, |&offset| offset)
                    + words[base..][..tensors].last().map_or(0, |&rank| rank)
            }
        };
        let shapes = argument(before).cast::<usize>().read() as *const u8;
        let shapes = numbers(shapes, count as usize, signature.word_bytes);
        [scalars, words, shapes]
    }
}

unsafe fn numbers(at: *const u8, count: usize, bytes: usize) -> Vec<u64> {
    (0..count)
        .map(|index| unsafe {
            let at = at.add(index * bytes);
            match bytes {
                8 => at.cast::<u64>().read_unaligned(),
                _ => u64::from(at.cast::<u32>().read_unaligned()),
            }
        })
        .collect()
}
