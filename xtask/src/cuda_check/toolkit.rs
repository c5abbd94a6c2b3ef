//! NVIDIA's run-time compiler and its headers, from the Python wheels that NVIDIA publishes, unpacked as a CUDA toolkit.
//!
//! This file must not know what is compiled.

use crate::data::{Patience, Wanted, download};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A wheel; its file name is the last part of its URL.
struct Wheel {
    address: &'static str,
    bytes: u64,
    sha256: &'static str,
}

/// CUDA 13.5 for Linux on x86-64; the checksums are those that PyPI publishes.
const WHEELS: [Wheel; 4] = [
    Wheel {
        address: "https://files.pythonhosted.org/packages/a9/54/db4e7f650746265f61c05cf1f8f556dd8c6739b58c823fbc9a7d6fda3247/nvidia_cuda_nvrtc-13.5.37-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        bytes: 58_185_930,
        sha256: "86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc",
    },
    Wheel {
        address: "https://files.pythonhosted.org/packages/0b/7c/14b8f5518f8951e9dca57ea80f44f8ea8bcc8671812e6cc38009f3205e57/nvidia_cuda_runtime-13.5.37-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 2_504_024,
        sha256: "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d",
    },
    // The header of the tensor cores, mma.h, includes a part of nvcc's headers.
    Wheel {
        address: "https://files.pythonhosted.org/packages/d5/ac/fb3ca43f437405ce33bfd8ba64503148fdc9198265f26f8ecd1bd6e76338/nvidia_cuda_crt-13.5.37-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 166_163,
        sha256: "e898b7f73d3035fa89915a3f7bf3b54a73e90249746111aed295822c4729bb29",
    },
    Wheel {
        address: "https://files.pythonhosted.org/packages/a7/7e/4aa67cca14e0558b5a151a692f5ffe609930cdfc20d16c7a584de68424d4/nvidia_cuda_cccl-13.3.5.0.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 4_113_651,
        sha256: "d5230098fa2df5021e1a00c0c4eee41797671a91119d31e892463e5ccf3ee326",
    },
];

/// The path of the toolkit in the wheels.
const TOOLKIT: &str = "nvidia/cu13";

/// The toolkit below `folder`, fetched and unpacked if it is missing. Leftovers of an interrupted run are discarded.
pub fn toolkit(folder: &Path) -> Result<PathBuf> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "cuda-check uses NVIDIA's compiler for Linux on x86-64, which does not run on this machine"
    );
    let whole = folder.join("cuda-13.5.37");
    if !whole.is_dir() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let work = tempfile::Builder::new().prefix("unpacking-").tempdir_in(folder)?;
        for Wheel { address, bytes, sha256 } in WHEELS {
            let name = address.rsplit('/').next().unwrap_or(address);
            let wanted = Wanted {
                address,
                name,
                bytes,
                sha256,
                otherwise: "correct the table in xtask/src/cuda_check/toolkit.rs",
            };
            let wheel = download(&wanted, folder, &Patience::default())?;
            unpack(&wheel, work.path())?;
            std::fs::remove_file(&wheel).with_context(|| format!("cannot remove {}", wheel.display()))?;
        }
        std::fs::rename(work.keep(), &whole).with_context(|| format!("cannot create {}", whole.display()))?;
    }
    Ok(whole.join(TOOLKIT))
}

/// Unpacks a zip file; a name that leads out of the folder is an error.
fn unpack(archive: &Path, to: &Path) -> Result<()> {
    let damaged = || format!("{} is damaged; remove it and run again", archive.display());
    let mut zip = zip::ZipArchive::new(File::open(archive).with_context(damaged)?).with_context(damaged)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).with_context(damaged)?;
        let path = to.join(entry.enclosed_name().with_context(damaged)?);
        if entry.is_dir() {
            continue;
        }
        let parent = path.parent().unwrap_or(to);
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        let mut file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        io::copy(&mut entry, &mut file).with_context(damaged)?;
    }
    Ok(())
}
