//! The evidence as one page to print: nothing fetched, nothing run.

use crate::reports::escaped;
use crate::reports::html_page;
use crate::views::{EvidenceView, LinkView};
use serde_json::Value;
use std::fmt::Write as _;

/// The whole page.
#[must_use]
pub fn page(view: &EvidenceView) -> String {
    let record = &view.record;
    let shown = record["person"]["shown"].as_str().unwrap_or_default();
    let mut body = String::new();
    paragraph(
        &mut body,
        &format!(
            "Made {} by {}. The JSON beside this page holds the same and its proof; docs/evidence.md says how \
             it is checked.",
            text(&record["made"]["at"]),
            text(&record["made"]["by"])
        ),
    );
    section(&mut body, "Person", &record["person"]);
    for (title, key) in [
        ("Cases", "cases"),
        ("Plans and decisions", "plans"),
        ("Access forms and decisions", "forms"),
        ("Answers of others", "answers"),
    ] {
        body.push_str(&format!("<h2>{}</h2>\n", escaped(title)));
        let all = record[key].as_array().cloned().unwrap_or_default();
        if all.is_empty() {
            paragraph(&mut body, "None.");
        }
        for (index, one) in all.iter().enumerate() {
            section(&mut body, &format!("{}", index + 1), one);
        }
    }
    rows(&mut body, view);
    html_page(&format!("Evidence: access of {shown}"), &body)
}

fn paragraph(body: &mut String, text: &str) {
    // Writing to a String can't fail.
    let _ = writeln!(body, "<p>{}</p>", escaped(text));
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn section(body: &mut String, title: &str, value: &Value) {
    let _ = write!(body, "<h3>{}</h3>\n<table>\n<tbody>\n", escaped(title));
    let Some(map) = value.as_object() else {
        let _ = writeln!(body, "<tr><td>{}</td></tr></tbody></table>", escaped(&text(value)));
        return;
    };
    for (key, value) in map {
        let _ = write!(body, "<tr><th scope=\"row\">{}</th><td>", escaped(&key.replace('_', " ")));
        cell(body, value);
        body.push_str("</td></tr>\n");
    }
    body.push_str("</tbody>\n</table>\n");
}

fn cell(body: &mut String, value: &Value) {
    match value {
        Value::Array(all) => {
            for one in all {
                body.push_str("<div>");
                cell(body, one);
                body.push_str("</div>");
            }
        }
        Value::Object(map) => {
            let mut parts = Vec::new();
            for (key, value) in map {
                let mut inner = String::new();
                cell(&mut inner, value);
                if !inner.is_empty() {
                    parts.push(format!("<b>{}</b> {inner}", escaped(&key.replace('_', " "))));
                }
            }
            body.push_str(&parts.join("; "));
        }
        other => body.push_str(&escaped(&text(other))),
    }
}

/// The audit's rows about the person, as they are chained.
fn rows(body: &mut String, view: &EvidenceView) {
    body.push_str("<h2>Audit</h2>\n<table>\n<thead><tr>");
    for column in ["row", "time (UTC)", "who", "event", "clause", "detail"] {
        let _ = write!(body, "<th scope=\"col\">{column}</th>");
    }
    body.push_str("</tr></thead>\n<tbody>\n");
    for segment in &view.audit.segments {
        for row in &segment.rows {
            let LinkView::Row { fields, .. } = row else { continue };
            let field = |place: usize| fields.get(place).cloned().flatten().unwrap_or_default();
            let micros = field(1).parse().unwrap_or_default();
            let at = jiff::Timestamp::from_microsecond(micros).map(|at| at.to_string());
            let _ = write!(body, "<tr><td>{}</td>", escaped(&field(0)));
            for shown in [at.unwrap_or_default(), field(2), field(3), field(9), field(10)] {
                let _ = write!(body, "<td>{}</td>", escaped(&shown));
            }
            body.push_str("</tr>\n");
        }
        if let Some(line) = &segment.checkpoint {
            let _ =
                writeln!(body, "<tr><td colspan=\"6\"><small>{}</small></td></tr>", escaped(line));
        }
    }
    body.push_str("</tbody>\n</table>\n");
    if let Some(key) = &view.audit.public_key {
        let _ = writeln!(body, "<pre>{}</pre>", escaped(key));
    }
}
