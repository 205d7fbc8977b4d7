//! `status`.

use super::{Page, Piece, Text, Tone, at, counted, when};
use crate::views::{ConnectorView, DaemonView, DropView, StatusView};

impl Text for StatusView {
    fn write(&self, page: &mut Page) {
        page.line(&match self.attention.len() as u64 {
            0 => "All is well.".to_owned(),
            count => format!("{} to look at.", counted(count, "thing", "things")),
        });
        for thing in &self.attention {
            page.gap();
            page.indented(2, &thing.what);
            page.indented(4, &format!("→ {}", thing.remedy));
        }
        super::tickets::phone_in(page, &self.phone_in);
        page.gap();
        let since = self.running_since.as_deref().map_or("does not run".to_owned(), |since| {
            format!("{}, runs since {}", self.version, when(since))
        });
        page.field("daemon", &since);
        page.field("as of", &when(&self.at));
        if let Some(pause) = &self.deletions_paused {
            page.field("deletions", &format!("PAUSED {pause}"));
        }
        if let Some(pause) = &self.giving_paused {
            page.field("giving", &format!("PAUSED {pause}"));
        }
        page.field("people", &self.people.to_string());
        page.field(
            "departures",
            &format!("{} ahead, {} open, {} closed", self.scheduled, self.open, self.closed),
        );
        if let Some(population) = self.population {
            page.field(
                "guard measures",
                &format!("by {population} people, from before the newest feed"),
            );
        }
        daemons(page, &self.daemons);
        connectors(page, &self.connectors);
        drops(page, &self.drops);
    }
}

/// What is wrong with a target, and when it is tried again where it is left alone.
fn problem(connector: &ConnectorView) -> String {
    let problem = connector.problem.clone().unwrap_or_default();
    match &connector.tried_again_at {
        Some(at) => format!("left alone until {at}: {problem}"),
        None => problem,
    }
}

/// Only where there are several: of one, the page says enough.
fn daemons(page: &mut Page, daemons: &[DaemonView]) {
    if daemons.len() < 2 {
        return;
    }
    page.gap();
    page.table(
        ["daemon", "state", "since", "last heard of", "release"],
        daemons.iter().map(|daemon| {
            let (state, tone) = match (daemon.state.as_str(), daemon.plans) {
                ("runs", true) => ("runs, plans", Tone::Good),
                ("runs", false) => ("runs", Tone::Good),
                ("ended", _) => ("ended", Tone::Plain),
                (other, _) => (other, Tone::Bad),
            };
            let mark = if daemon.this { " (this one)" } else { "" };
            [
                Piece::from(format!("{}{mark}", daemon.name)),
                Piece::toned(state, tone),
                Piece::from(when(&daemon.since)),
                Piece::from(when(&daemon.heard_at)),
                Piece::from(&daemon.version),
            ]
        }),
    );
}

fn connectors(page: &mut Page, connectors: &[ConnectorView]) {
    if connectors.is_empty() {
        return;
    }
    page.gap();
    page.table(
        ["connector", "state", "due", "ahead", "done", "not seen", "stuck", "problem"],
        connectors.iter().map(|connector| {
            let tone = match connector.state.as_str() {
                "up" => Tone::Good,
                "down" => Tone::Bad,
                _ => Tone::Plain,
            };
            let stuck = if connector.stuck > 0 { Tone::Bad } else { Tone::Plain };
            [
                Piece::from(&connector.name),
                Piece::toned(&connector.state, tone),
                Piece::from(connector.waiting),
                Piece::from(connector.scheduled),
                Piece::from(connector.done),
                Piece::from(connector.unverified),
                Piece::toned(&connector.stuck.to_string(), stuck),
                Piece::from(problem(connector)),
            ]
        }),
    );
}

fn drops(page: &mut Page, drops: &[DropView]) {
    if drops.is_empty() {
        return;
    }
    page.gap();
    page.table(
        ["drop", "feed", "handled", "state", "taken", "set aside", "reason"],
        drops.iter().map(|drop| {
            let tone = match drop.state.as_str() {
                "accepted" => Tone::Good,
                "rejected" => Tone::Bad,
                _ => Tone::Plain,
            };
            [
                Piece::from(&drop.file),
                Piece::from(&drop.feed),
                Piece::from(at(&drop.at)),
                Piece::toned(&drop.state, tone),
                Piece::from(drop.taken),
                Piece::from(drop.set_aside),
                Piece::from(&drop.reason),
            ]
        }),
    );
}
