//! A curve as SVG, both scales logarithmic, with a dashed line for what would grow in step.

use crate::Done;
use std::fmt::Write as _;
use std::path::Path;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 60.0;

/// Writes the curve.
///
/// # Errors
///
/// When the file can't be written.
pub fn write(file: &Path, title: &str, points: &[(f64, f64)]) -> Done<()> {
    Ok(std::fs::write(file, drawn(title, points))?)
}

fn drawn(title: &str, points: &[(f64, f64)]) -> String {
    let first = points.first().copied().unwrap_or((1.0, 1.0));
    let last = points.last().copied().unwrap_or(first);
    let in_step = first.1 * last.0 / first.0;
    let top = points.iter().fold(in_step, |top, point| top.max(point.1));
    let low = points.iter().fold(first.1, |low, point| low.min(point.1));
    let x = |value: f64| MARGIN + share(value, first.0, last.0) * (WIDTH - 2.0 * MARGIN);
    let y = |value: f64| HEIGHT - MARGIN - share(value, low, top) * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{MARGIN}\" y=\"30\" font-size=\"16\">{title}</text>\n"
    );
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#888\" stroke-dasharray=\"6 4\"/>",
        x(first.0),
        y(first.1),
        x(last.0),
        y(in_step)
    );
    let path: Vec<String> = points.iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1))).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#0b5394\" stroke-width=\"2\"/>",
        path.join(" ")
    );
    for (size, value) in points {
        let (x, y) = (x(*size), y(*value));
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"#0b5394\"/>\n\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.2}</text>\n\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{size} people</text>",
            y - 10.0,
            HEIGHT - MARGIN / 2.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a value lies between two others on a logarithmic scale, 0 to 1.
fn share(value: f64, from: f64, to: f64) -> f64 {
    let span = (to / from).ln();
    if span.abs() < f64::EPSILON { 0.5 } else { (value / from).ln() / span }
}

#[cfg(test)]
mod tests {
    use super::drawn;

    #[test]
    fn every_point_is_drawn_with_its_value_and_size() {
        let svg = drawn("Seconds", &[(10.0, 0.5), (100.0, 5.0), (1000.0, 51.0)]);
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains(">51.00<") && svg.contains(">1000 people<"), "{svg}");
    }
}
