//! `envelope list` and `envelope open`.

use super::{Page, Piece, Text};
use crate::views::{EnvelopesView, PasswordView};

impl Text for EnvelopesView {
    fn write(&self, page: &mut Page) {
        if self.waiting.is_empty() {
            page.line("No first password waits for you.");
            return;
        }
        page.table(
            ["id", "user ID", "form", "opened by", "code"],
            self.waiting.iter().map(|envelope| {
                [
                    Piece::from(&envelope.id),
                    Piece::from(&envelope.user_id),
                    Piece::from(envelope.form.to_string()),
                    Piece::from(&envelope.opener),
                    Piece::from(if envelope.needs_code { "by mail" } else { "none" }),
                ]
            }),
        );
        page.gap();
        page.line("Open one with `lapsed envelope open ID`: it shows the password once.");
    }
}

impl Text for PasswordView {
    fn write(&self, page: &mut Page) {
        page.line(&format!("First password of {} (form {}):", self.user_id, self.form));
        page.gap();
        page.line(&format!("    {}", self.password));
        page.gap();
        page.line("It is shown this once. Hand it over in person; it must be changed at the first log-on.");
    }
}
