//! Help desks that are known: each a few templates over the one shape.

use super::shape::{
    CommentTemplate, CreateTemplate, Method, Operations, RequestTemplate, SearchTemplate,
    StatusTemplate, Statuses,
};
use std::collections::BTreeMap;

/// What a preset says.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) operations: Operations,
    pub(super) statuses: Statuses,
    pub(super) never_run_live: bool,
}

fn request(
    method: Method,
    path: &str,
    query: &[(&str, &str)],
    body: Option<&str>,
) -> RequestTemplate {
    let query: BTreeMap<String, String> =
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    RequestTemplate { method, path: path.to_owned(), query, body: body.map(str::to_owned) }
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}

/// Request Tracker 5 by its REST 2 interface. Its queue is the group.
pub(super) fn request_tracker() -> Known {
    Known {
        operations: Operations {
            search: SearchTemplate {
                request: request(
                    Method::Get,
                    "/REST/2.0/tickets",
                    &[
                        ("query", "Subject LIKE '{{ key }}'"),
                        ("fields", "Subject"),
                        ("orderby", "id"),
                        ("order", "ASC"),
                    ],
                    None,
                ),
                tickets: "reply.items".into(),
                number: "ticket.id".into(),
                subject: "ticket.Subject".into(),
            },
            create: CreateTemplate {
                request: request(
                    Method::Post,
                    "/REST/2.0/ticket",
                    &[],
                    Some(include_str!("request_tracker.json")),
                ),
                number: "reply.id".into(),
            },
            status: StatusTemplate {
                request: request(Method::Get, "/REST/2.0/ticket/{{ number }}", &[], None),
                status: "reply.Status".into(),
            },
            comment: CommentTemplate {
                request: request(
                    Method::Post,
                    "/REST/2.0/ticket/{{ number }}/comment",
                    &[],
                    Some(r#"{ "Content": {{ text }}, "ContentType": "text/plain" }"#),
                ),
            },
            page: Some("{{ url }}/Ticket/Display.html?id={{ number }}".into()),
        },
        statuses: Statuses {
            resolved: words(&["resolved"]),
            rejected: words(&["rejected", "deleted"]),
        },
        never_run_live: false,
    }
}

/// SolarWinds Web Help Desk by its REST interface. A ticket's request type, which is the group here,
/// decides which technicians get it. Never run live.
pub(super) fn web_help_desk() -> Known {
    const TICKETS: &str = "/helpdesk/WebObjects/Helpdesk.woa/ra/Tickets";
    const ONE: &str = "/helpdesk/WebObjects/Helpdesk.woa/ra/Tickets/{{ number }}";
    const NOTES: &str = "/helpdesk/WebObjects/Helpdesk.woa/ra/TechNotes";
    Known {
        operations: Operations {
            search: SearchTemplate {
                request: request(
                    Method::Get,
                    TICKETS,
                    &[("qualifier", "(subject like '*{{ key }}*')"), ("style", "details")],
                    None,
                ),
                tickets: "reply".into(),
                number: "ticket.id".into(),
                subject: "ticket.subject".into(),
            },
            create: CreateTemplate {
                request: request(
                    Method::Post,
                    TICKETS,
                    &[],
                    Some(include_str!("web_help_desk.json")),
                ),
                number: "reply.id".into(),
            },
            status: StatusTemplate {
                request: request(Method::Get, ONE, &[], None),
                status: "reply.statustype.statusTypeName".into(),
            },
            comment: CommentTemplate {
                request: request(
                    Method::Post,
                    NOTES,
                    &[],
                    Some(
                        r#"{ "noteText": {{ text }}, "jobticket": { "type": "JobTicket", "id": {{ number|int }} }, "isHidden": false }"#,
                    ),
                ),
            },
            page: Some(
                "{{ url }}/helpdesk/WebObjects/Helpdesk.woa/wa/TicketActions/view?ticket={{ number }}"
                    .into(),
            ),
        },
        statuses: Statuses {
            resolved: words(&["Resolved", "Closed"]),
            rejected: words(&["Cancelled", "Canceled"]),
        },
        never_run_live: true,
    }
}
