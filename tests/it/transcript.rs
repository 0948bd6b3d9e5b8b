//! The program's exact output, kept in files: `transcripts/NAME.txt`. `UPDATE_TRANSCRIPTS=1` writes them again; review the
//! diff in git.

use std::path::Path;

/// Fails the test unless `shown` is the content of the file.
#[track_caller]
pub fn assert_transcript(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/transcripts")
        .join(format!("{name}.txt"));
    let shown = format!("{}\n", shown.trim_end());
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, shown).expect("the transcript is written");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shown == kept,
        "{name} is not as its transcript says (`UPDATE_TRANSCRIPTS=1 cargo test` writes it anew):\n{}",
        difference(&kept, &shown)
    );
}

/// The lines from the first difference to the last, old and new.
fn difference(kept: &str, shown: &str) -> String {
    let (kept, shown): (Vec<_>, Vec<_>) = (kept.lines().collect(), shown.lines().collect());
    let same = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| {
        pairs.take_while(|(kept, shown)| kept == shown).count()
    };
    let start = same(&mut kept.iter().zip(&shown));
    let shorter = kept.len().min(shown.len()) - start;
    let end = same(&mut kept.iter().rev().zip(shown.iter().rev())).min(shorter);
    let marked = |mark: char, lines: &[&str]| -> Vec<String> {
        lines[start..lines.len() - end]
            .iter()
            .map(|line| format!("{mark} {line}"))
            .collect()
    };
    [marked('-', &kept), marked('+', &shown)]
        .concat()
        .join("\n")
}

#[test]
fn only_the_differing_lines_are_shown() {
    assert_eq!(difference("a\nb\nc\n", "a\nx\ny\nc\n"), "- b\n+ x\n+ y");
    assert_eq!(difference("a\na\n", "a\n"), "- a");
}
