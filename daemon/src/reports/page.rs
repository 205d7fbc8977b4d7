//! Tables as CSV that no spreadsheet takes for formulas, and as one HTML page that needs nothing else.

use lapsed_core::shown::shown;
use std::fmt::Write as _;

/// A table with its title.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// What it is, for people.
    pub title: String,
    /// What to know of it, a paragraph each.
    pub notes: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows, as wide as the columns.
    pub rows: Vec<Vec<String>>,
}

/// A picture of numbers by month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trend {
    /// What is counted.
    pub name: String,
    /// Counts, oldest first.
    pub counts: Vec<u64>,
}

impl Sheet {
    /// As CSV (RFC 4180), UTF-8. A field that a spreadsheet would calculate is marked as text (CWE-1236).
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = line(&self.columns);
        for row in &self.rows {
            text.push_str(&line(row));
        }
        text
    }

    /// As a table of an HTML page.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("<h2>{}</h2>\n", escaped(&self.title));
        for note in &self.notes {
            // Writing to a String can't fail.
            let _ = writeln!(text, "<p>{}</p>", escaped(note));
        }
        text.push_str("<table>\n<thead><tr>");
        for column in &self.columns {
            let _ = write!(text, "<th scope=\"col\">{}</th>", escaped(column));
        }
        text.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            text.push_str("<tr>");
            for field in row {
                let _ = write!(text, "<td>{}</td>", escaped(field));
            }
            text.push_str("</tr>\n");
        }
        text.push_str("</tbody>\n</table>\n");
        text
    }
}

fn line(fields: &[String]) -> String {
    let quoted: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    format!("{}\r\n", quoted.join(","))
}

fn quoted(field: &str) -> String {
    let safe = shown(field);
    let calculates = safe.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if calculates { "'" } else { "" };
    format!("\"{mark}{}\"", safe.replace('"', "\"\""))
}

/// Text that can be nothing but text in HTML.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in shown(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A whole page: styles within it, no script, nothing fetched.
#[must_use]
pub fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n\
         body {{ font-family: sans-serif; margin: 2em; color: #111; }}\n\
         table {{ border-collapse: collapse; width: 100%; }}\n\
         th, td {{ border: 1px solid #999; padding: 0.3em 0.5em; text-align: left; vertical-align: top; }}\n\
         th {{ background: #eee; }}\n\
         @media print {{ body {{ margin: 0; font-size: 9pt; }} thead {{ display: table-header-group; }} \
         tr {{ break-inside: avoid; }} }}\n\
         </style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )
}

/// Counts by month as a picture (SVG within the page), each line named at its end.
#[must_use]
pub fn picture(months: &[String], trends: &[Trend]) -> String {
    const COLOURS: [&str; 5] = ["#1b6ca8", "#b04a2f", "#3c7a3c", "#7a4a9a", "#8a6d1d"];
    let most = trends.iter().flat_map(|trend| &trend.counts).copied().max().unwrap_or(0).max(1);
    let steps = months.len().saturating_sub(1).max(1) as u64;
    let mut text = String::from(
        "<svg viewBox=\"0 0 760 260\" role=\"img\" aria-label=\"Counts by month\" width=\"100%\">\n\
         <line x1=\"40\" y1=\"220\" x2=\"600\" y2=\"220\" stroke=\"#444\"/>\n\
         <line x1=\"40\" y1=\"20\" x2=\"40\" y2=\"220\" stroke=\"#444\"/>\n",
    );
    let _ = writeln!(text, "<text x=\"4\" y=\"26\" font-size=\"11\">{most}</text>");
    for (index, month) in months.iter().enumerate() {
        let x = 40 + 560 * index as u64 / steps;
        let month = escaped(month.get(5..).unwrap_or(month));
        let _ = writeln!(
            text,
            "<text x=\"{x}\" y=\"236\" font-size=\"10\" text-anchor=\"middle\">{month}</text>"
        );
    }
    for (index, trend) in trends.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<String> = trend
            .counts
            .iter()
            .enumerate()
            .map(|(at, count)| {
                format!("{},{}", 40 + 560 * at as u64 / steps, 220 - 200 * count / most)
            })
            .collect();
        let y = 40 + 18 * index;
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <text x=\"612\" y=\"{y}\" font-size=\"12\" fill=\"{colour}\">{}</text>",
            points.join(" "),
            escaped(&trend.name)
        );
    }
    text.push_str("</svg>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(field: &str) -> Sheet {
        Sheet {
            title: "Roster".into(),
            columns: vec!["who".into()],
            rows: vec![vec![field.into()]],
            ..Sheet::default()
        }
    }

    #[test]
    fn no_field_is_calculated_by_a_spreadsheet() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"] {
            let csv = sheet(formula).csv();
            assert!(csv.contains(&format!("\"'{formula}")), "{csv}");
        }
        assert_eq!(sheet("a\"b").csv(), "\"who\"\r\n\"a\"\"b\"\r\n");
    }

    #[test]
    fn text_stays_text_in_a_page_that_fetches_and_runs_nothing() {
        let html = page("Roster", &sheet("<script>alert(1)</script>&\"").table());
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;"), "{html}");
        assert!(!html.contains("<script") && !html.contains("http://"), "{html}");
        assert!(html.contains("@media print"));
    }

    #[test]
    fn a_picture_has_a_line_for_each_count_and_bears_a_year_of_nothing() {
        let months: Vec<String> = (1..=12).map(|month| format!("2026-{month:02}")).collect();
        let trend = Trend { name: "leavers".into(), counts: vec![0; 12] };
        let svg = picture(&months, &[trend.clone(), trend]);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(picture(&[], &[]).contains("</svg>"));
    }
}
