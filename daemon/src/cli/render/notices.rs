//! `notices`.

use super::{Page, Piece, Text, Tone, when, when_given};
use crate::views::{LetterView, NoticesView};

impl Text for NoticesView {
    fn write(&self, page: &mut Page) {
        if self.notices.is_empty() {
            page.line("Nobody was told anything by mail.");
            return;
        }
        let rows = self.notices.iter().map(|notice| {
            let tone = match notice.state.as_str() {
                "sent" => Tone::Good,
                "failed" | "unverified" => Tone::Bad,
                _ => Tone::Plain,
            };
            let sent = notice.sent_at.is_some();
            [
                Piece::from(&notice.kind),
                Piece::from(&notice.about),
                Piece::from(notice.to.join(", ")),
                Piece::toned(&notice.state, tone),
                Piece::from(if sent {
                    when_given(&notice.sent_at)
                } else {
                    when(&notice.queued_at)
                }),
                Piece::from(&notice.note),
            ]
        });
        page.table(["kind", "about", "to", "state", "when", "note"], rows);
        page.gap();
        page.line(&format!(
            "{} wait, {} unverified, {} failed.",
            self.waiting, self.unverified, self.failed
        ));
    }
}

impl Text for LetterView {
    fn write(&self, page: &mut Page) {
        page.line(&format!("Subject: {}", self.subject));
        page.gap();
        for line in self.body.lines() {
            page.line(line);
        }
    }
}
