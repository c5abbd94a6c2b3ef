//! One page on the loopback interface: the report of a run in its newest state. The page asks for changes and renews itself.
//!
//! This is a server for one reader on one machine. It answers `GET` and `HEAD` of `/` with the page, reads no other file, takes
//! connections of this machine only, and refuses requests for another host, which a foreign page could send by way of DNS.

use crate::run_dir::RunDir;
use crate::stop::StopFlag;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// The longest request that is read.
const MOST_BYTES: usize = 16 * 1024;
/// A client that is slower is dropped.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks for a connection or a stop.
const PAUSE: Duration = Duration::from_millis(30);

/// The page that is served.
#[derive(Clone, Debug)]
pub struct Page {
    path: PathBuf,
}

impl Page {
    /// The report of a run, which may not be written yet.
    pub fn of(run: &RunDir) -> Self {
        Self { path: run.report() }
    }

    /// A tag that changes with the page.
    fn tag(&self) -> String {
        let data = self.path.metadata().ok();
        let time = data
            .as_ref()
            .and_then(|data| data.modified().ok()?.duration_since(UNIX_EPOCH).ok());
        let bytes = data.map_or(0, |data| data.len());
        format!("\"{:x}-{bytes:x}\"", time.map_or(0, |time| time.as_nanos()))
    }

    /// The page as it is now, with the script that renews it.
    fn text(&self, tag: &str) -> String {
        let page = std::fs::read_to_string(&self.path).unwrap_or_else(|_| {
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>No report yet</title></head>\n\
             <body><p>There is no report yet. This page renews itself.</p></body></html>\n"
                .to_owned()
        });
        let script = format!(
            "<script>setInterval(async()=>{{try{{const now=(await fetch(\"/\",{{method:\"HEAD\",cache:\"no-store\"}}))\
             .headers.get(\"ETag\");if(now&&now!=={tag:?})location.reload()}}catch{{}}}},2000)</script>\n\
             <noscript><p><a href=\"/\">Load the newest state</a></p></noscript>\n"
        );
        match page.rfind("</body>") {
            Some(at) => format!("{}{script}{}", &page[..at], &page[at..]),
            None => page + &script,
        }
    }
}

/// Serves the page at a port of the loopback interface (0: any free one) until `stop` is set; `ready` is called with the address.
///
/// # Errors
/// If the port cannot be used, or `ready` fails.
pub fn serve(page: &Page, port: u16, stop: &StopFlag, ready: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener =
        listener.with_context(|| format!("cannot serve at port {port} of 127.0.0.1; pass another --port"))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    ready(&format!("http://{address}/"))?;
    while !stop.is_set() {
        match listener.accept() {
            // A client that goes away takes nothing with it.
            Ok((stream, _)) => drop(answer(stream, page, address)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).context("cannot take connections any more"),
        }
    }
    Ok(())
}

fn answer(mut stream: TcpStream, page: &Page, own: SocketAddr) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = read_request(&mut stream)?;
    let tag = page.tag();
    let (status, body) = match check(&request, own) {
        Ok(()) => ("200 OK", page.text(&tag)),
        Err(status) => (status, format!("{status}\n")),
    };
    let kind = if status.starts_with("200") { "html" } else { "plain" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Length: {}\r\nETag: {tag}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    if !request.starts_with("HEAD ") {
        stream.write_all(body.as_bytes())?;
    }
    stream.flush()
}

/// The request up to its empty line.
fn read_request(stream: &mut TcpStream) -> std::io::Result<String> {
    let started = Instant::now();
    let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut buffer)?;
        if read == 0 || request.len() + read > MOST_BYTES || started.elapsed() > PATIENCE {
            return Err(ErrorKind::InvalidData.into());
        }
        request.extend_from_slice(&buffer[..read]);
    }
    Ok(String::from_utf8_lossy(&request).into_owned())
}

/// Whether a request is answered with the page, or the status that it gets instead.
fn check(request: &str, own: SocketAddr) -> Result<(), &'static str> {
    let mut lines = request.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    let own_names = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{}", own.port()));
    if !own_names.iter().any(|name| host == Some(name.as_str())) {
        return Err("403 Forbidden");
    }
    match (method, target.split(['?', '#']).next()) {
        ("GET" | "HEAD", Some("/")) => Ok(()),
        ("GET" | "HEAD", _) => Err("404 Not Found"),
        _ => Err("405 Method Not Allowed"),
    }
}

/// Opens a file or an address in the user's browser.
///
/// # Errors
/// If this system has no program for it.
pub fn open_in_browser(target: &OsStr) -> Result<()> {
    let program = if cfg!(target_os = "windows") {
        "explorer"
    } else if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let mut command = Command::new(program);
    command
        .arg(target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.spawn() {
        Ok(_) => Ok(()),
        Err(error) => bail!(
            "{program} cannot be started ({error}); open {} yourself",
            target.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn ask(address: &str, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer));
        answer
    }

    #[test]
    fn the_newest_page_is_served_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("run")).unwrap();
        let (page, stop) = (Page::of(&run), StopFlag::default());
        let (sender, receiver) = mpsc::channel();
        let (served, stopped) = (page.clone(), stop.clone());
        let server = std::thread::spawn(move || {
            serve(&served, 0, &stopped, &mut |address| {
                sender.send(address.to_owned()).unwrap();
                Ok(())
            })
        });
        let url = receiver.recv().unwrap();
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let get = |path: &str| ask(&host, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let tag = |answer: &str| {
            answer
                .lines()
                .find(|line| line.starts_with("ETag: "))
                .unwrap()
                .to_owned()
        };
        let empty = get("/");
        assert!(
            empty.starts_with("HTTP/1.1 200 OK") && empty.contains("no report yet"),
            "{empty}"
        );
        std::fs::write(run.report(), "<html><body><h1>first</h1></body></html>").unwrap();
        let first = get("/?x#y");
        assert!(first.contains("<h1>first</h1><script>setInterval"), "{first}");
        std::fs::write(run.report(), "<html><body><h1>second one</h1></body></html>").unwrap();
        let second = get("/");
        assert!(second.contains("<h1>second one</h1>"));
        assert_ne!(tag(&first), tag(&second), "the page learns that it is old");
        let head = ask(&host, &format!("HEAD / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        assert_eq!(tag(&head), tag(&second));
        assert!(head.ends_with("\r\n\r\n"), "no body: {head}");
        for path in ["/config.toml", "/../config.toml", "//", "/report.html", "*"] {
            assert!(get(path).starts_with("HTTP/1.1 404"), "{path}");
        }
        assert!(ask(&host, &format!("POST / HTTP/1.1\r\nHost: {host}\r\n\r\n")).starts_with("HTTP/1.1 405"));
        assert!(ask(&host, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").starts_with("HTTP/1.1 403"));
        assert!(
            ask(&host, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 403"),
            "without a host"
        );
        let long = format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nX: {}\r\n\r\n",
            "x".repeat(MOST_BYTES)
        );
        assert_eq!(ask(&host, &long), "", "too long to be read");
        stop.set();
        server.join().unwrap().unwrap();
        assert!(TcpStream::connect(&host).is_err(), "closed");
    }
}
