//! Writes tables into docs/, between the words of people.

use std::fs;

use kit::Tls;

use crate::{Error, machine};

/// Replaces what is between the part's two markers in a page of docs/.
pub fn write(page: &str, part: &str, text: &str) -> Result<(), Error> {
    let path = kit::repository().join("docs").join(page);
    let new = replaced(&fs::read_to_string(&path)?, part, text).ok_or_else(|| {
        format!("docs/{page} lacks the lines `{}` and `{}`: add them", start(part), end(part))
    })?;
    fs::write(path, new)?;
    eprintln!("{part}: written into docs/{page}");
    Ok(())
}

/// Like [`write`], with the machine and the database under the text.
pub async fn write_measured(page: &str, part: &str, text: &str, database: &Tls) -> Result<(), Error> {
    write(page, part, &format!("{text}\n{}", machine::description(database).await?))
}

fn start(part: &str) -> String {
    format!("<!-- {part}: written by cargo measure -->")
}

fn end(part: &str) -> String {
    format!("<!-- /{part} -->")
}

fn replaced(page: &str, part: &str, text: &str) -> Option<String> {
    let (start, end) = (start(part), end(part));
    let (before, rest) = page.split_once(&start)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{start}\n\n{}\n\n{end}{after}", text.trim_end()))
}

/// Returns a Markdown table whose first column is text and whose others are numbers. `head` is its first line.
pub fn table(head: &str, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {head} |\n|---{}|\n", "|--:".repeat(head.matches(" | ").count()));
    for row in rows {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}

/// Returns a row of a table. A dash stands for a figure that was not measured.
pub fn row<T: Into<Option<f64>>>(
    name: impl Into<String>,
    figures: impl IntoIterator<Item = T>,
) -> Vec<String> {
    [name.into()].into_iter().chain(figures.into_iter().map(|value| figure(value))).collect()
}

/// Returns at most three significant digits; whole numbers have all of theirs.
pub fn figure(value: impl Into<Option<f64>>) -> String {
    let Some(value) = value.into() else { return "–".to_owned() };
    let decimals = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

pub fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_between_two_markers_is_replaced() {
        let page = "Words.\n\n<!-- a: written by cargo measure -->\nold\n<!-- /a -->\n\nMore words.\n";
        let new = "Words.\n\n<!-- a: written by cargo measure -->\n\nnew\n\n<!-- /a -->\n\nMore words.\n";
        assert_eq!(replaced(page, "a", "new\n").as_deref(), Some(new));
        assert_eq!(replaced(new, "a", "new").as_deref(), Some(new));
        assert_eq!(replaced("Words.\n<!-- a: written by cargo measure -->", "a", "new"), None);
    }

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let rows = [row("ours", [Some(1.0), None]), row("floor", [0.414, 12.34])];
        let table = table("list | p50 ms | p99 ms", rows);
        assert_eq!(
            table,
            "| list | p50 ms | p99 ms |\n|---|--:|--:|\n| ours | 1 | – |\n| floor | 0.41 | 12.3 |\n"
        );
    }
}
