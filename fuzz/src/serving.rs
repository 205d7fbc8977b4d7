//! Servers in this process that answer what the fuzzer made up.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::runtime::Runtime;

pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    })
}

/// What is answered next.
pub type Answer = Arc<Mutex<Vec<u8>>>;

/// A server over HTTP on loopback that answers every request with the same body.
pub struct Http {
    pub url: String,
    body: Answer,
}

impl Http {
    /// `fixed` is answered to paths that end so.
    pub fn start(fixed: Option<(&'static str, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let body = Answer::default();
        let shared = Arc::clone(&body);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared, fixed));
            }
        });
        Self { url, body }
    }

    pub fn says(&self, body: &[u8]) {
        *self.body.lock().expect("nobody panics with it") = body.to_vec();
    }
}

fn serve(mut stream: TcpStream, body: &Answer, fixed: Option<(&str, &str)>) {
    let _ = stream.set_nodelay(true);
    let mut waiting = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let Some(whole) = request_length(&waiting) else {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(count) => waiting.extend(&chunk[..count]),
            }
            continue;
        };
        let line = String::from_utf8_lossy(&waiting[..whole.min(200)]).into_owned();
        waiting.drain(..whole);
        let path = line.split(' ').nth(1).unwrap_or_default();
        let answer = match fixed {
            Some((end, text)) if path.ends_with(end) => text.as_bytes().to_vec(),
            _ => body.lock().expect("nobody panics with it").clone(),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        if stream.write_all(&[head.as_bytes(), &answer].concat()).is_err() {
            return;
        }
    }
}

/// Bytes of the first whole request.
fn request_length(waiting: &[u8]) -> Option<usize> {
    let end = waiting.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&waiting[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    (waiting.len() >= end + length).then_some(end + length)
}
