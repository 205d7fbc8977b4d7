//! A help desk as small as one can be: tickets with a subject, found by it, over HTTP.

use lapsed_tests::process::{Scratch, listen};
use lapsed_tests::{Done, Failure};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

#[derive(Debug, Default)]
struct Tickets {
    /// Subjects, in the order of their numbers.
    opened: Vec<String>,
    /// Number and text of each comment.
    comments: Vec<(String, String)>,
}

/// The running help desk; ended when dropped.
pub struct Desk {
    port: u16,
    tickets: Arc<Mutex<Tickets>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _scratch: Scratch,
}

impl Desk {
    pub fn start() -> Done<Self> {
        let listener = listen()?;
        let port = listener.local_addr()?.port();
        let (tickets, stop) = (Arc::<Mutex<Tickets>>::default(), Arc::<AtomicBool>::default());
        let (theirs, stopped) = (tickets.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                // A caller that is killed in mid-request is nothing to the next one.
                let _ = answer(stream, &theirs);
            }
        });
        let scratch = Scratch::owned_by("desk", None)?;
        Ok(Self { port, tickets, stop, thread: Some(thread), _scratch: scratch })
    }

    /// Its section under `connectors:`; the secret is any file.
    pub fn yaml(&self, secret: &Path) -> String {
        let get = "method: GET, path";
        format!(
            "  desk:\n    kind: help_desk\n    preset: custom\n    url: http://127.0.0.1:{}\n    \
             login: {{ by: bearer, secret_file: {} }}\n    group: All\n    requester: lapsed@dmh.test\n    \
             statuses: {{ resolved: [closed], rejected: [refused] }}\n    operations:\n      \
             search: {{ request: {{ {get}: /tickets, query: {{ key: \"{{{{ key }}}}\" }} }}, tickets: reply.tickets, number: ticket.number, subject: ticket.subject }}\n      \
             create: {{ request: {{ method: POST, path: /tickets, body: '{{ \"subject\": {{{{ subject }}}}, \"text\": {{{{ text }}}} }}' }}, number: reply.number }}\n      \
             status: {{ request: {{ {get}: \"/tickets/{{{{ number }}}}\" }}, status: reply.status }}\n      \
             comment: {{ request: {{ method: POST, path: \"/tickets/{{{{ number }}}}\", body: '{{ \"text\": {{{{ text }}}} }}' }} }}\n",
            self.port,
            secret.display(),
        )
    }

    fn tickets(&self) -> std::sync::MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The subjects of all tickets.
    pub fn opened(&self) -> Vec<String> {
        self.tickets().opened.clone()
    }

    /// Number and text of each comment.
    pub fn comments(&self) -> Vec<(String, String)> {
        self.tickets().comments.clone()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        self.thread.take().map(JoinHandle::join);
    }
}

fn answer(mut stream: TcpStream, tickets: &Mutex<Tickets>) -> Done<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let said = {
        let mut tickets = tickets.lock().unwrap_or_else(PoisonError::into_inner);
        reply(&mut tickets, method, path, &body)
    };
    let said = said.ok_or_else(|| Failure::new(first.clone()))?.to_string();
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
    Ok(stream.write_all(format!("{head} {}\r\n\r\n{said}", said.len()).as_bytes())?)
}

fn reply(tickets: &mut Tickets, method: &str, path: &str, body: &Value) -> Option<Value> {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let number = path.strip_prefix("/tickets/");
    match (method, number) {
        ("POST", None) => {
            tickets.opened.push(text("subject"));
            Some(json!({ "number": tickets.opened.len().to_string() }))
        }
        ("POST", Some(number)) => {
            tickets.comments.push((number.to_owned(), text("text")));
            Some(json!({}))
        }
        ("GET", Some(_)) => Some(json!({ "status": "open" })),
        ("GET", None) => {
            let key = path.split_once("key=")?.1;
            let all = tickets.opened.iter().enumerate();
            let found = all.filter(|(_, subject)| subject.contains(key)).map(
                |(index, subject)| json!({ "number": (index + 1).to_string(), "subject": subject }),
            );
            Some(json!({ "tickets": found.collect::<Vec<_>>() }))
        }
        _ => None,
    }
}
