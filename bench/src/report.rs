//! What is written into docs/, between the words of people.

use std::{fs, path::Path};

use crate::Error;

/// Puts `text` in the place of what stands between the part's two markers in a page.
pub fn write(page: &Path, part: &str, text: &str) -> Result<(), Error> {
    let old = fs::read_to_string(page)?;
    let new = replaced(&old, part, text).ok_or_else(|| {
        format!(
            "{} has no lines `{}` and `{}`, between which to write",
            page.display(),
            start(part),
            end(part)
        )
    })?;
    fs::write(page, new)?;
    eprintln!("{part}: written into {}", page.display());
    Ok(())
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

/// A table of Markdown whose first column is words and whose others are figures.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|---{}|\n", head.join(" | "), "|--:".repeat(head.len() - 1));
    for row in rows {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}

/// With as many digits as can be trusted; a count has no others.
pub fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A dash where there is none.
pub fn figure_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_markers_is_replaced_and_all_else_is_kept() {
        let page = "Words.\n\n<!-- a: written by cargo measure -->\nold\n<!-- /a -->\n\nMore words.\n";
        let new = "Words.\n\n<!-- a: written by cargo measure -->\n\nnew\n\n<!-- /a -->\n\nMore words.\n";
        assert_eq!(replaced(page, "a", "new\n").as_deref(), Some(new));
        assert_eq!(replaced(new, "a", "new").as_deref(), Some(new));
    }

    #[test]
    fn a_page_without_the_markers_is_not_written_to() {
        assert_eq!(replaced("Words.\n<!-- a: written by cargo measure -->", "a", "new"), None);
        assert_eq!(replaced("Words.", "a", "new"), None);
    }

    #[test]
    fn figures_are_as_long_as_they_can_be_trusted() {
        assert_eq!([0.414, 12.34, 240.4, 0.0, 15.0].map(figure), ["0.41", "12.3", "240", "0", "15"]);
    }

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let table = table(&["list", "ms"], [vec!["ours".to_owned(), "1".to_owned()]]);
        assert_eq!(table, "| list | ms |\n|---|--:|\n| ours | 1 |\n");
    }
}
