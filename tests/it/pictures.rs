//! The picture of the tour: the console block of the quick start, which another test compares with the real tour, drawn as a terminal.
//! `UPDATE_DOCS=1` draws it anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The widest line; longer lines are truncated.
const COLUMNS: usize = 104;
/// A character's width and a line's height, in the picture's units.
const WIDE: f32 = 8.43;
const HIGH: f32 = 19.0;

#[test]
fn the_picture_shows_the_current_tour() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = fs::read_to_string(docs.join("quick-start.md")).expect("the page");
    let (_, block) = page.split_once("```console\n").expect("the tour");
    let (block, _) = block.split_once("\n```").expect("its end");
    let file = docs.join("pictures/tour.svg");
    let drawn = terminal(block);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &drawn).expect("the picture is written");
    }
    assert!(
        fs::read_to_string(&file).unwrap_or_default() == drawn,
        "docs/pictures/tour.svg is not current: run the test again with UPDATE_DOCS=1"
    );
}

/// A terminal with this text, as SVG without scripts or embedded fonts.
fn terminal(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| *line != "...").collect();
    let [width, height] = [
        COLUMNS as f32 * WIDE + 32.0,
        (lines.len() + 2) as f32 * HIGH,
    ];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n<title>jane-migrate sandbox --tour</title>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#161b22\"/>\n"
    );
    for (at, line) in lines.iter().enumerate() {
        let y = (at as f32 + 1.5) * HIGH;
        let cut: String = match line.chars().count() > COLUMNS {
            true => line.chars().take(COLUMNS - 1).chain(['…']).collect(),
            false => (*line).to_owned(),
        };
        let colour = match cut.trim_start() {
            words if words.starts_with("seen:") => "#7ee787",
            words if words.starts_with("$ ") || words.starts_with("== ") => "#79c0ff",
            words if words.starts_with("+ ") => "#aff5b4",
            words if words.starts_with("~ ") => "#f2cc60",
            _ => "#e6edf3",
        };
        let escaped = cut
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{y:.1}\" fill=\"{colour}\" xml:space=\"preserve\">{escaped}</text>"
        );
    }
    svg.push_str("</svg>\n");
    svg
}
