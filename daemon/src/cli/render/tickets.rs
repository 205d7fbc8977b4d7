//! `tickets`, and what is to be phoned in.

use super::{Page, Piece, Text, Tone, at, counted, when};
use crate::views::{PhoneInView, TicketsView};

impl Text for TicketsView {
    fn write(&self, page: &mut Page) {
        if self.tickets.is_empty() {
            page.line("No tickets.");
            return;
        }
        page.table(
            ["ticket", "state", "problem", "subject", "queued", "ended", "trouble"],
            self.tickets.iter().map(|ticket| {
                let tone = match ticket.state.as_str() {
                    "resolved" => Tone::Good,
                    "rejected" => Tone::Bad,
                    _ => Tone::Plain,
                };
                [
                    Piece::from(ticket.number.as_ref().unwrap_or(&ticket.key)),
                    Piece::toned(&ticket.state, tone),
                    Piece::from(&ticket.problem),
                    Piece::from(&ticket.subject),
                    Piece::from(at(&ticket.queued)),
                    Piece::from(ticket.ended.as_deref().map(at).unwrap_or_default()),
                    Piece::from(&ticket.trouble),
                ]
            }),
        );
    }
}

/// Under its own heading, in the words to be said (H3).
pub(super) fn phone_in(page: &mut Page, waiting: &[PhoneInView]) {
    if waiting.is_empty() {
        return;
    }
    page.gap();
    let count = counted(waiting.len() as u64, "ticket", "tickets");
    page.line(&format!(
        "To phone in: {count} can't be brought to the help desk. Have the key put into the subject: the ticket is then found, and no second one is opened."
    ));
    for ticket in waiting {
        page.gap();
        page.indented(2, &format!("{}: {}", ticket.key, ticket.subject));
        let case = ticket.case.as_deref().unwrap_or("none");
        page.indented(4, &format!("case {case}, waits since {}", when(&ticket.since)));
        for line in ticket.text.lines().filter(|line| !line.trim().is_empty()) {
            page.indented(4, line);
        }
    }
}
