//! Generated parts of documents that people write: what stands between two markers is ours.

use anyhow::{Context as _, Result};

/// `document` with `content` between its markers called `name`.
///
/// # Errors
/// If the markers aren't there.
pub(super) fn fill(document: &str, name: &str, content: &str) -> Result<String> {
    let [begin, end] = ["begin", "end"].map(|which| format!("<!-- {which} {name}: cargo xtask generate -->"));
    let missing = || format!("the markers {begin} and {end} are missing");
    let (before, rest) = document.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", content.trim_end()))
}

/// `text` within a cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_changes() {
        let document = "One\n<!-- begin x: cargo xtask generate -->\nold\n<!-- end x: cargo xtask generate -->\nTwo\n";
        let filled = fill(document, "x", "new\n").unwrap();
        assert_eq!(filled, document.replace("old", "new"));
        assert_eq!(fill(&filled, "x", "new").unwrap(), filled);
        assert!(fill(document, "y", "new").is_err());
    }
}
