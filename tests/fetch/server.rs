//! A server that answers as a test says, and files to fetch from it.

use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vanc::error::Error;
use vanc::fetch::{Dataset, Event, File, Options, fetch};

/// A request that a server received.
#[derive(Clone, Debug)]
pub struct Request {
    /// First line: `GET /file HTTP/1.1`.
    pub line: String,
    /// Number of the request, from 0.
    pub number: usize,
    /// N in `Range: bytes=N-`.
    pub from: Option<usize>,
}

pub struct Server {
    pub base: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server that answers every request by `answer`, on a thread a connection,
    /// until the tests end.
    pub fn start(answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (log, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || {
                    let mut stream = stream;
                    if let Some(request) = read(&stream, &log) {
                        answer(&request, &mut stream);
                    }
                });
            }
        });
        Server { base, asked }
    }

    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// Start positions that were asked for, in order.
    pub fn starts(&self) -> Vec<usize> {
        let asked = self.asked();
        asked.iter().map(|r| r.from.unwrap_or(0)).collect()
    }
}

/// Reads the head of a request.
fn read(stream: &TcpStream, log: &Mutex<Vec<Request>>) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let line = lines.next()?.ok()?;
    let mut from = None;
    for header in lines {
        let header = header.ok()?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(range) = header.strip_prefix("range: bytes=") {
            from = range.strip_suffix('-')?.parse().ok();
        }
    }
    let mut log = log.lock().unwrap();
    let number = log.len();
    let request = Request { line, number, from };
    log.push(request.clone());
    Some(request)
}

/// Writes `bytes`; that a client has gone is no error.
pub fn send(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
}

pub fn status(stream: &mut TcpStream, status: &str) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    send(stream, head.as_bytes());
}

pub fn redirect(stream: &mut TcpStream, to: &str) {
    status(stream, &format!("302 Found\r\nLocation: {to}"));
}

/// Sends `body` as it was asked for, but at most `most` bytes of it.
pub fn serve(request: &Request, stream: &mut TcpStream, body: &[u8], most: usize) {
    let (head, rest) = match request.from {
        Some(from) if from < body.len() => {
            let (last, all) = (body.len() - 1, body.len());
            let range = format!("Content-Range: bytes {from}-{last}/{all}\r\n");
            (format!("206 Partial Content\r\n{range}"), &body[from..])
        }
        Some(_) => return status(stream, "416 Range Not Satisfiable"),
        None => ("200 OK\r\n".to_string(), body),
    };
    let length = rest.len();
    let head = format!("HTTP/1.1 {head}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    send(stream, head.as_bytes());
    send(stream, &rest[..most.min(length)]);
}

/// Sends `body` from its start, whatever was asked for, but at most `most` bytes of it.
pub fn serve_from_start(stream: &mut TcpStream, body: &[u8], most: usize) {
    let request = Request {
        line: String::new(),
        number: 0,
        from: None,
    };
    serve(&request, stream, body, most);
}

/// Starts a server of one file that does nothing wrong.
pub fn good(body: &[u8]) -> Server {
    let body = body.to_vec();
    Server::start(move |request, stream| serve(request, stream, &body, usize::MAX))
}

/// Makes bytes among which no two places are alike.
pub fn bytes(length: usize) -> Vec<u8> {
    let words = (0..length.div_ceil(4) as u32).map(|i| i.wrapping_mul(2_654_435_761));
    let mut bytes: Vec<u8> = words.flat_map(u32::to_be_bytes).collect();
    bytes.truncate(length);
    bytes
}

pub fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// Impatient options, so that the tests are not slow.
pub fn options() -> Options {
    Options {
        stall: Duration::from_millis(300),
        pause: Duration::from_millis(1),
        ..Options::default()
    }
}

/// Fetches `body` as the file `dots.bin` into `dir`; returns the troubles on the way.
pub fn fetch_from(mirrors: &[&str], body: &[u8], dir: &Path) -> Result<Vec<String>, Error> {
    let sum = sum(body);
    let files = [File {
        name: "dots.bin",
        bytes: body.len() as u64,
        sha256: &sum,
        members: &[],
    }];
    fetch_files(mirrors, &files, dir, &options())
}

pub fn fetch_files(
    mirrors: &[&str],
    files: &[File],
    dir: &Path,
    options: &Options,
) -> Result<Vec<String>, Error> {
    let dataset = Dataset {
        name: "dots",
        folder: "dots",
        mirrors,
        files,
    };
    let troubles = Mutex::new(Vec::new());
    let watch = |event: Event| {
        if let Event::Trouble(what) = event {
            troubles.lock().unwrap().push(what.to_string());
        }
    };
    fetch(&dataset, dir, options, &watch)?;
    Ok(troubles.into_inner().unwrap())
}

/// Lists the names in `dir`, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
