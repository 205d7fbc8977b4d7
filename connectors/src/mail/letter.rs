//! A mail as lapsed writes it: plain text, marked as written by a machine.

use super::address::MailAddress;
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Part, MultiPart, SinglePart};
use std::fmt;
use uuid::Uuid;

/// Longest subject in characters; what is longer is cut.
const LONGEST_SUBJECT: usize = 200;

/// The identity of a mail: the same one is the same mail, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// Derived from what the mail is about, so that it is found again after a crash: a step's or
    /// notice's id, and a word that tells several mails about it apart (`form`, `reminder-1`).
    pub(super) fn derived(about: Uuid, part: &str, domain: &str) -> Self {
        let part: String =
            part.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        Self(format!("<{about}.{part}.lapsed@{domain}>"))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file that goes with a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name for the reader: `form.txt`.
    pub name: String,
    /// Its media type: `text/csv`; `application/octet-stream` where this is none.
    pub media_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// One mail to send. Sender and address for answers are those of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Who gets it; at least one.
    pub to: Vec<MailAddress>,
    /// What it is about, in one line.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// Its identity, by [`super::Postman::message_id`].
    pub message_id: MessageId,
    /// The earlier mails that it belongs to, oldest first.
    pub references: Vec<MessageId>,
    /// Files that go with it.
    pub attachments: Vec<Attachment>,
}

impl Letter {
    /// A mail of nothing but text, which belongs to no other.
    #[must_use]
    pub fn new(
        to: Vec<MailAddress>,
        subject: impl Into<String>,
        text: impl Into<String>,
        message_id: MessageId,
    ) -> Self {
        Self {
            to,
            subject: subject.into(),
            text: text.into(),
            message_id,
            references: Vec::new(),
            attachments: Vec::new(),
        }
    }

    /// The mail as it goes over the wire.
    pub(super) fn message(
        &self,
        from: &MailAddress,
        reply_to: Option<&MailAddress>,
    ) -> Result<Message, lettre::error::Error> {
        let mut builder = Message::builder()
            .from(from.mailbox())
            .subject(one_line(&self.subject))
            .message_id(Some(self.message_id.to_string()))
            .date_now()
            // Answering machines answer nobody who says this (RFC 3834).
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "OOF, AutoReply"));
        for to in &self.to {
            builder = builder.to(to.mailbox());
        }
        if let Some(reply_to) = reply_to {
            builder = builder.reply_to(reply_to.mailbox());
        }
        if let Some(last) = self.references.last() {
            let all: Vec<String> = self.references.iter().map(ToString::to_string).collect();
            builder = builder.in_reply_to(last.to_string()).references(all.join(" "));
        }
        let text = SinglePart::plain(self.text.clone());
        if self.attachments.is_empty() {
            return builder.singlepart(text);
        }
        let mixed = MultiPart::mixed().singlepart(text);
        builder
            .multipart(self.attachments.iter().fold(mixed, |all, file| all.singlepart(part(file))))
    }
}

fn part(file: &Attachment) -> SinglePart {
    let media_type = ContentType::parse(&file.media_type).unwrap_or_else(|_| octets());
    Part::new(one_line(&file.name)).body(file.content.clone(), media_type)
}

fn octets() -> ContentType {
    // The library knows no constant for it, and its parser can't refuse this one.
    ContentType::parse("application/octet-stream").unwrap_or(ContentType::TEXT_PLAIN)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Control characters become blanks: a line end in a value would begin a header of its own.
fn one_line(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(LONGEST_SUBJECT).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> MailAddress {
        MailAddress::parse(text).unwrap()
    }

    fn sent(letter: &Letter) -> String {
        let message = letter.message(&address("lapsed@dmh.test"), None).unwrap();
        String::from_utf8(message.formatted()).unwrap()
    }

    fn letter(subject: &str, text: &str) -> Letter {
        let id = MessageId::derived(Uuid::nil(), "form", "dmh.test");
        Letter::new(vec![address("a@agency.test")], subject, text, id)
    }

    #[test]
    fn a_line_end_in_a_subject_adds_no_header() {
        let wire = sent(&letter("Revoke\r\nBcc: everyone@dmh.test\r\n\r\nbody", "Text."));
        let (head, body) = wire.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert_eq!(body.trim_end(), "Text.");
    }

    #[test]
    fn a_line_end_in_the_name_of_a_file_adds_no_header() {
        let mut letter = letter("Form", "Text.");
        letter.attachments.push(Attachment {
            name: "a.txt\"\r\nBcc: everyone@dmh.test".into(),
            media_type: "text/plain\r\nBcc: everyone@dmh.test".into(),
            content: b"content".to_vec(),
        });
        let wire = sent(&letter);
        assert!(!wire.lines().any(|line| line.starts_with("Bcc")), "{wire}");
    }

    #[test]
    fn the_same_step_gives_the_same_message_id_and_other_mails_of_it_another() {
        let one = Uuid::from_u128(1);
        assert_eq!(
            MessageId::derived(one, "form", "dmh.test"),
            MessageId::derived(one, "form", "dmh.test")
        );
        assert_ne!(
            MessageId::derived(one, "form", "dmh.test"),
            MessageId::derived(one, "reminder-1", "dmh.test")
        );
    }

    #[test]
    fn a_mail_says_that_a_machine_wrote_it_and_what_it_belongs_to() {
        let mut reminder = letter("Reminder", "Text.");
        reminder.references.push(MessageId::derived(Uuid::nil(), "form", "dmh.test"));
        let wire = sent(&reminder);
        assert!(wire.contains("Auto-Submitted: auto-generated\r\n"), "{wire}");
        let first = "<00000000-0000-0000-0000-000000000000.form.lapsed@dmh.test>";
        assert!(wire.contains(&format!("References: {first}\r\n")), "{wire}");
    }
}
