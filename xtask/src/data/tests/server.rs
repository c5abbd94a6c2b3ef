//! A small HTTP server on this machine with responses that a test defines, including wrong ones.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A request, as far as the tests use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Number of requests before it.
    pub number: usize,
    /// The path with its leading `/`.
    pub path: String,
    /// First byte of the requested range.
    pub from: Option<usize>,
}

/// A response, sent unchanged.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: &'static str,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    /// Sends nothing after the body and holds the connection open until the client gives up.
    pub silent: bool,
}

impl Reply {
    /// A status without a body.
    pub fn status(status: &'static str) -> Self {
        Self {
            status,
            headers: vec!["Content-Length: 0".into()],
            body: Vec::new(),
            silent: false,
        }
    }

    /// The whole file, whatever was requested.
    pub fn whole(bytes: &[u8]) -> Self {
        Self {
            status: "200 OK",
            headers: vec![format!("Content-Length: {}", bytes.len())],
            body: bytes.to_vec(),
            silent: false,
        }
    }

    /// The file from the first requested byte.
    pub fn ranged(request: &Request, bytes: &[u8]) -> Self {
        let Some(from) = request.from else {
            return Self::whole(bytes);
        };
        let (last, len) = (bytes.len() - 1, bytes.len());
        Self {
            status: "206 Partial Content",
            headers: vec![
                format!("Content-Length: {}", len - from),
                format!("Content-Range: bytes {from}-{last}/{len}"),
            ],
            body: bytes[from..].to_vec(),
            silent: false,
        }
    }

    /// The same headers, but the connection ends after `len` bytes.
    pub fn cut(mut self, len: usize) -> Self {
        self.body.truncate(len);
        self
    }
}

/// Serves until it is dropped.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server that responds to every request with `answer`, one after the other.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (requests, stop) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::<AtomicBool>::default());
        let (seen, stopped) = (Arc::clone(&requests), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // Some tests need a client that disconnects early.
                let _ = stream.and_then(|stream| serve(stream, &seen, &answer));
            }
        });
        Self {
            address,
            requests,
            stop,
            thread: Some(thread),
        }
    }

    /// The base address.
    pub fn url(&self) -> String {
        format!("http://{}/sets", self.address)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic in the server").clone()
    }

    /// First requested byte of each request.
    pub fn ranges(&self) -> Vec<Option<usize>> {
        self.requests().iter().map(|request| request.from).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, so that it sees the flag.
        let woken = TcpStream::connect(self.address);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &impl Fn(&Request) -> Reply,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut from = None;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
    }
    let request = {
        let mut seen = seen.lock().expect("no panic in the server");
        let number = seen.len();
        seen.push(Request { number, path, from });
        seen[number].clone()
    };
    let reply = answer(&request);
    write!(stream, "HTTP/1.1 {}\r\nConnection: close\r\n", reply.status)?;
    for header in &reply.headers {
        write!(stream, "{header}\r\n")?;
    }
    stream.write_all(b"\r\n")?;
    stream.write_all(&reply.body)?;
    stream.flush()?;
    if reply.silent {
        // Until the other side closes.
        let _ = stream.read(&mut [0]);
    }
    Ok(())
}
