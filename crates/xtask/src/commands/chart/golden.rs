//! What the chart renders to in each environment, kept in deploy/golden: a change of the chart shows what it changes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::workspace::Workspace;

/// What is done with the kept files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Golden {
    /// They are held against what is rendered now.
    Compare,
    /// They are written again.
    Update,
}

/// How much of a difference is shown.
const SHOWN: usize = 80;

/// Compares or writes the file at `path` in the checkout.
///
/// # Errors
/// If it differs from `text`: with the differing lines.
pub(super) async fn settle(golden: Golden, workspace: &Workspace, path: &Path, text: &str) -> Result<()> {
    let kept = workspace.root().join(path);
    if fs::read_to_string(&kept).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    let name = path.file_name().context("a golden file has a name")?;
    let rendered = match golden {
        Golden::Update => kept.clone(),
        Golden::Compare => workspace.renders().join(name),
    };
    let directory = rendered.parent().context("a golden file is in a directory")?;
    fs::create_dir_all(directory).with_context(|| format!("{} can't be made", directory.display()))?;
    fs::write(&rendered, text).with_context(|| format!("{} can't be written", rendered.display()))?;
    match golden {
        Golden::Update => Ok(()),
        Golden::Compare => bail!(
            "{} differs (+: now); if that is meant: cargo xtask chart --update\n{}",
            path.display(),
            difference(&kept, &rendered).await?
        ),
    }
}

/// The lines that differ, and a few around them.
async fn difference(kept: &Path, rendered: &Path) -> Result<String> {
    let mut git = Command::new("git");
    git.args(["--no-pager", "diff", "--no-index", "--no-color", "--no-ext-diff", "--unified=2", "--"]);
    let kept = if kept.exists() { kept } else { Path::new("/dev/null") };
    let output = git.arg(kept).arg(rendered).output().await.context("git can't be started")?;
    Ok(shortened(&String::from_utf8_lossy(&output.stdout)))
}

/// Without git's own head lines, and not more than a screen or two.
fn shortened(difference: &str) -> String {
    let mut lines: Vec<&str> = difference.lines().skip_while(|line| !line.starts_with("@@")).collect();
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    let mut text = lines.join("\n");
    if more > 0 {
        let _ = write!(text, "\n… and {more} lines more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_difference_is_shown_by_its_lines() {
        let directory = std::env::temp_dir().join(format!("cloudjet-golden-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let [kept, now] = ["kept", "now"].map(|name| directory.join(name));
        fs::write(&kept, "a\nb\n").unwrap();
        fs::write(&now, "a\nc\n").unwrap();
        let shown = difference(&kept, &now).await;
        fs::remove_dir_all(&directory).unwrap();
        let shown = shown.unwrap();
        assert!(shown.starts_with("@@") && shown.ends_with("-b\n+c"), "{shown}");
    }

    #[test]
    fn a_long_difference_is_cut() {
        let long = format!("diff\n@@\n{}", "+x\n".repeat(100));
        assert!(shortened(&long).ends_with("… and 21 lines more"));
    }
}
