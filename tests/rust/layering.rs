//! A room may use rooms of earlier rows only, and rooms of one row do not know each other.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows as declared in `src/lib.rs`: `// Row N` followed by its rooms.
fn rows(lib: &str) -> HashMap<String, usize> {
    let mut row = 0;
    let mut rooms = HashMap::new();
    for line in lib.lines() {
        if let Some(number) = line.strip_prefix("// Row ") {
            row = number.trim().parse().unwrap();
        } else if let Some(name) = line.trim_start_matches("pub ").strip_prefix("mod ") {
            rooms.insert(name.trim_end_matches(';').to_owned(), row);
        }
    }
    rooms
}

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Rooms named by `crate::room` paths in a source, comments left out.
fn used_rooms(text: &str) -> Vec<String> {
    let code: String =
        text.lines().map(|l| l.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for part in code.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            let end = group.find("};").unwrap_or(group.len());
            for item in group[..end].split(',') {
                found.push(item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        } else {
            found.push(part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

/// Every use of a room by a room that may not know it.
fn violations(rows: &HashMap<String, usize>, room: &str, text: &str) -> Vec<String> {
    used_rooms(text)
        .into_iter()
        // The kinds of errors lie below all rows.
        .filter(|used| used != room && used != "kind" && rows.get(used).is_some_and(|row| *row >= rows[room]))
        .map(|used| format!("{room} (row {}) uses {used} (row {})", rows[room], rows[&used]))
        .collect()
}

#[test]
fn rooms_use_earlier_rows_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rows = rows(&fs::read_to_string(src.join("lib.rs")).unwrap());
    assert!(rows.len() > 30, "rooms were not found in lib.rs: {rows:?}");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let room = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        if rows.contains_key(&room) {
            let text = fs::read_to_string(&file).unwrap();
            wrong.extend(
                violations(&rows, &room, &text).into_iter().map(|v| format!("{}: {v}", relative.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_path_that_points_the_wrong_way_is_seen() {
    let rows = rows("// Row 1\npub mod math;\n// Row 8\npub mod beam;\npub mod gridding;\n");
    assert_eq!(violations(&rows, "math", "use crate::beam::Airy;").len(), 1);
    assert_eq!(violations(&rows, "gridding", "fn f() { crate::beam::g() }").len(), 1);
    assert_eq!(violations(&rows, "gridding", "use crate::{math::fft, beam};").len(), 1);
    assert!(violations(&rows, "gridding", "use crate::math::fft; // crate::beam").is_empty());
}
