//! Answers HTTP requests as it is told: for what a real Dovecot does not do on demand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How a command is answered: status and body, or the connection closed without a word.
pub type Answer = Option<(u16, String)>;

pub struct Responder {
    pub port: u16,
    /// Commands in the order in which they came.
    pub asked: Arc<Mutex<Vec<String>>>,
    retry_after: Arc<Mutex<Option<String>>>,
}

impl Responder {
    pub fn start(rule: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let retry_after = Arc::new(Mutex::new(None));
        let wait = Arc::clone(&retry_after);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that gave up is no failure of the responder.
                let _ = answer(stream, &rule, &noted, &wait);
            }
        });
        Self { port, asked, retry_after }
    }

    /// From now on every answer asks to be left alone for so long.
    pub fn retry_after(&self, seconds: &str) {
        *self.retry_after.lock().unwrap() = Some(seconds.to_owned());
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn answer(
    stream: TcpStream,
    rule: &impl Fn(&str) -> Answer,
    asked: &Mutex<Vec<String>>,
    retry_after: &Mutex<Option<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let command = request[0][0].as_str().unwrap_or_default().to_owned();
    asked.lock().unwrap().push(command.clone());
    if let Some((status, text)) = rule(&command) {
        let wait = retry_after.lock().unwrap().clone();
        let wait = wait.map(|wait| format!("Retry-After: {wait}\r\n")).unwrap_or_default();
        let length = text.len();
        let head = format!("HTTP/1.1 {status} Status\r\n{wait}Content-Length: {length}\r\n\r\n");
        reader.get_mut().write_all(format!("{head}{text}").as_bytes())?;
    }
    Ok(())
}

/// doveadm's own form of a good answer.
pub fn good(payload: &str) -> (u16, String) {
    (200, format!(r#"[["doveadmResponse",{payload},"lapsed"]]"#))
}

/// doveadm's own form of a failure.
pub fn exit(code: i64) -> (u16, String) {
    (200, format!(r#"[["error",{{"type":"exitCode", "exitCode":{code}}},"lapsed"]]"#))
}

/// A user with one mail in the inbox, as long as nothing is changed.
pub fn one_mail(command: &str) -> Answer {
    match command {
        "mailboxList" => Some(good(r#"[{"mailbox":"INBOX"}]"#)),
        "mailboxStatus" => {
            Some(good(r#"[{"mailbox":"INBOX","messages":"1","guid":"0123456789abcdef"}]"#))
        }
        _ => None,
    }
}
