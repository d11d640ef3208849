//! How long files and functions may grow.
//!
//! Functions are found by their indentation, which rustfmt guarantees: one begins with a line that says `fn` and ends with
//! the first brace that stands alone under it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Done, root, say};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const EXTENSIONS: [&str; 4] = ["rs", "ts", "tsx", "mjs"];

pub(crate) fn check() -> Done {
    let root = root();
    let files = source_files(&root)?;
    let mut offences = Vec::new();
    for file in &files {
        // A file may have been removed without its removal being committed.
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        offences.extend(file_offence(file, &text));
        if file.ends_with(".rs") {
            offences.extend(function_offences(file, &text));
        }
    }
    say(&format!("lengths: {} files", files.len()))?;
    Ok(offences)
}

fn source_files(root: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root).output()?;
    let listed = String::from_utf8(output.stdout)?;
    let is_source = |file: &&str| EXTENSIONS.iter().any(|extension| file.ends_with(&format!(".{extension}")));
    let files: Vec<String> = listed.lines().filter(is_source).map(str::to_owned).collect();
    if files.is_empty() { Err("git lists no source file".into()) } else { Ok(files) }
}

fn file_offence(file: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > FILE_LINES_MAX).then(|| format!("{file} has {lines} lines; {FILE_LINES_MAX} are the most"))
}

fn function_offences(file: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let begun = lines.iter().enumerate().filter_map(|(index, line)| Some((index, function_name(line)?)));
    let measured = begun.filter_map(|(index, name)| Some((index, name, length(&lines[index..])?)));
    measured
        .filter(|(_, _, length)| *length > FUNCTION_LINES_MAX)
        .map(|(index, name, length)| {
            format!("{file}:{}: fn {name} has {length} lines; {FUNCTION_LINES_MAX} are the most", index + 1)
        })
        .collect()
}

/// The name of the function that begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let qualifier = |word: &str| {
        matches!(word, "pub" | "const" | "async" | "unsafe" | "extern" | "default")
            || word.starts_with("pub(")
            || word.starts_with('"')
            || word.ends_with(')')
    };
    let name = after.split(['(', '<']).next()?;
    (before.split_whitespace().all(qualifier) && !name.is_empty()).then_some(name)
}

/// Lines from the first to the brace that closes it; `None` for a declaration without a body.
fn length(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?;
    let indent = &first[..first.len() - first.trim_start().len()];
    let signature_end =
        lines.iter().position(|line| line.ends_with('{') || line.ends_with(';') || line.ends_with('}'))?;
    if !lines[signature_end].ends_with('{') {
        return lines[signature_end].ends_with('}').then_some(signature_end + 1);
    }
    let closes = |line: &&str| line.strip_prefix(indent) == Some("}");
    lines.iter().position(closes).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        format!(
            "impl X {{\n    pub(crate) async fn long(&self) {{\n{}    }}\n}}\n",
            "        step();\n".repeat(lines - 2)
        )
    }

    #[test]
    fn a_function_may_reach_the_limit_and_not_pass_it() {
        assert!(function_offences("x.rs", &function(FUNCTION_LINES_MAX)).is_empty());
        let offences = function_offences("x.rs", &function(FUNCTION_LINES_MAX + 1));
        assert_eq!(offences, ["x.rs:2: fn long has 71 lines; 70 are the most"]);
    }

    #[test]
    fn a_declaration_and_a_one_liner_are_no_long_functions() {
        let text = format!("trait T {{\n    fn declared(&self);\n    fn short() {{}}\n}}\n{}", "\n".repeat(100));
        assert!(function_offences("x.rs", &text).is_empty());
    }

    #[test]
    fn prose_about_a_fn_is_not_a_function() {
        assert_eq!(function_name("// the fn above"), None);
        assert_eq!(function_name("    pub(in crate::x) const unsafe fn name<T>("), Some("name"));
    }

    #[test]
    fn a_file_may_reach_the_limit_and_not_pass_it() {
        assert!(file_offence("x.rs", &"\n".repeat(FILE_LINES_MAX)).is_none());
        assert!(file_offence("x.rs", &"\n".repeat(FILE_LINES_MAX + 1)).is_some());
    }
}
