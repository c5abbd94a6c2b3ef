//! Download of one file over HTTP, into `NAME.part` and then, when its checksum matches, `NAME`.
//!
//! An interrupted download is resumed where it ended, in this run or in the next one; if it cannot be resumed, it starts
//! over. This file must not know sets, nor what the file is used for.

use super::part::{Part, sha256_of};
use super::progress::{Progress, Unit, megabytes};
use anyhow::{Context, Result, bail, ensure};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// A file to download.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its full URL.
    pub address: &'a str,
    /// Its name on disk.
    pub name: &'a str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: &'a str,
    /// What the user should do if this URL has another file.
    pub otherwise: &'a str,
}

/// Timeouts and retries.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Retries after the first attempt, counted since the last new byte.
    pub retries: u32,
    /// Pause before the first retry; each further pause is twice as long.
    pub pause: Duration,
    /// Timeout for a connection.
    pub connect: Duration,
    /// Timeout for the next bytes from the server.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            retries: 3,
            pause: Duration::from_secs(2),
            connect: Duration::from_secs(30),
            silence: Duration::from_secs(60),
        }
    }
}

/// The result of an attempt that did not fail permanently.
enum Try {
    Whole,
    /// The server cannot resume the part: the next attempt starts at the first byte.
    Anew(&'static str),
    /// The network or the server failed, possibly temporarily.
    Again(String),
}

/// Downloads `wanted` into `folder` and returns its path. An existing file is checked and reused.
pub fn download(wanted: &Wanted, folder: &Path, patience: &Patience) -> Result<PathBuf> {
    let whole = folder.join(wanted.name);
    if whole.is_file() {
        if sha256_of(&whole)? == wanted.sha256 {
            return Ok(whole);
        }
        std::fs::remove_file(&whole).with_context(|| format!("cannot remove {}", whole.display()))?;
    }
    let mut part = Part::open(folder.join(format!("{}.part", wanted.name)))?;
    if part.len() > wanted.bytes {
        part.restart()?;
    }
    let mut progress = Progress::new(wanted.name, Unit::Bytes, part.len(), wanted.bytes);
    if part.len() > 0 {
        let (here, all) = (megabytes(part.len()), megabytes(wanted.bytes));
        progress.say(&format!("{}: resuming after {here} of {all}", wanted.name));
    }
    let agent = agent(wanted.address, patience);
    let (mut furthest, mut failures) = (part.len(), 0);
    loop {
        match attempt(&agent, wanted, &mut part, &mut progress)? {
            Try::Whole => break,
            Try::Anew(reason) => {
                progress.say(&format!("{}: {reason}; starting over", wanted.name));
                part.restart()?;
                progress.set(0);
            }
            Try::Again(reason) => {
                if part.len() > furthest {
                    (furthest, failures) = (part.len(), 0);
                }
                if failures == patience.retries {
                    let kept = match part.len() {
                        0 => String::new(),
                        len => format!("; {} of {} are kept", megabytes(len), megabytes(wanted.bytes)),
                    };
                    let tries = failures + 1;
                    bail!(
                        "{}: {reason}; gave up after {tries} attempts{kept}: run the same command to resume",
                        wanted.address
                    );
                }
                let pause = patience.pause * 2_u32.pow(failures);
                failures += 1;
                progress.say(&format!("{}: {reason}; retrying in {} s", wanted.name, pause.as_secs()));
                std::thread::sleep(pause);
            }
        }
    }
    drop(progress);
    let found = part.sha256();
    if found != wanted.sha256 {
        part.remove()?;
        bail!(
            "{} has SHA-256 {found} instead of {}: not the published file, so it was removed; run again, and if this \
            persists, {}",
            wanted.address,
            wanted.sha256,
            wanted.otherwise
        );
    }
    part.finish(&whole)?;
    Ok(whole)
}

/// One request for everything that is missing.
fn attempt(agent: &Agent, wanted: &Wanted, part: &mut Part, progress: &mut Progress) -> Result<Try> {
    if part.len() == wanted.bytes {
        return Ok(Try::Whole);
    }
    let mut request = agent.get(wanted.address);
    if part.len() > 0 {
        request = request.header(header::RANGE, format!("bytes={}-", part.len()));
    }
    let response = match request.call() {
        Ok(response) => response,
        Err(ureq::Error::BadUri(reason)) => bail!("{} is not a valid URL: {reason}", wanted.address),
        Err(error) => return Ok(Try::Again(error.to_string())),
    };
    let announced = match response.status() {
        StatusCode::OK => {
            if part.len() > 0 {
                progress.say(&format!(
                    "{}: the server sends whole files only; starting over",
                    wanted.name
                ));
                part.restart()?;
                progress.set(0);
            }
            number(&response, header::CONTENT_LENGTH)
        }
        StatusCode::PARTIAL_CONTENT => match content_range(&response) {
            Some((start, total)) if start == part.len() => total,
            _ if part.len() > 0 => return Ok(Try::Anew("the server sent another range than requested")),
            _ => bail!(
                "{}: the server sent a range that was not requested; {}",
                wanted.address,
                wanted.otherwise
            ),
        },
        StatusCode::RANGE_NOT_SATISFIABLE if part.len() > 0 => {
            return Ok(Try::Anew("the server's file is shorter than the part on disk"));
        }
        status if passing(status) => return Ok(Try::Again(format!("the server answers {status}"))),
        status => bail!("{}: the server answers {status}; {}", wanted.address, wanted.otherwise),
    };
    if let Some(length) = announced.filter(|length| *length != wanted.bytes) {
        bail!(wrong_length(wanted, &format!("is {length} bytes long")));
    }
    receive(response, wanted, part, progress)
}

/// Reads the body to its end.
fn receive(response: Response<Body>, wanted: &Wanted, part: &mut Part, progress: &mut Progress) -> Result<Try> {
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match body.read(&mut buffer) {
            Ok(0) if part.len() < wanted.bytes => return Ok(Try::Again("the connection ended early".into())),
            Ok(0) => return Ok(Try::Whole),
            Ok(count) => {
                ensure!(
                    part.len() + count as u64 <= wanted.bytes,
                    wrong_length(wanted, "does not end")
                );
                let all = megabytes(wanted.bytes);
                part.append(&buffer[..count])
                    .with_context(|| format!("{} needs {all}, and more to be unpacked", wanted.name))?;
                progress.set(part.len());
            }
            Err(error) => return Ok(Try::Again(error.to_string())),
        }
    }
}

fn wrong_length(wanted: &Wanted, what: &str) -> String {
    let Wanted {
        address,
        bytes,
        otherwise,
        ..
    } = wanted;
    format!("{address} {what} instead of {bytes} bytes: not the published file; {otherwise}")
}

/// Whether the status may be temporary.
fn passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT
}

fn agent(address: &str, patience: &Patience) -> Agent {
    // The certificates of the operating system: some machines reach the network through a proxy with its own certificate.
    let trusted = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .tls_config(trusted)
        .http_status_as_error(false)
        .accept_encoding("identity")
        .timeout_connect(Some(patience.connect))
        .timeout_per_read(Some(patience.silence))
        .timeout_per_write(Some(patience.silence));
    // A mirror on this machine is never accessed through a proxy, whatever the environment specifies.
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter();
    let config = match local.clone().any(|start| address.starts_with(start)) {
        true => config.proxy(None),
        false => config,
    };
    config.build().new_agent()
}

fn number(response: &Response<Body>, name: header::HeaderName) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.trim().parse().ok()
}

/// First byte and total length (if the server knows it) of `Content-Range: bytes FIRST-LAST/LENGTH`.
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let text = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (span, length) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let start = span.split_once('-')?.0.trim().parse().ok()?;
    Some((start, length.trim().parse().ok()))
}
