//! What our documents say of this checkout: a link leads to a file that is there and, where it names one, to a heading in
//! it; a command of `cargo xtask` is one that it takes, with these arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::CommandFactory as _;
use clap::error::ErrorKind;

use crate::commands::Arguments;
use crate::process::said;
use crate::workspace::Workspace;

/// How the commands begin that are tried.
const OURS: &str = "cargo xtask ";

/// Reads all documents that Git knows; tells how much there is in them.
pub(crate) async fn check(workspace: &Workspace) -> Result<String> {
    let listed = said(workspace.git(&["ls-files", "*.md"])).await?;
    let (mut links_seen, mut commands_seen) = (0, 0);
    let mut faults = Vec::new();
    for document in listed.lines().map(Path::new) {
        let text = workspace.read(document)?;
        let directory = document.parent().context("a document is in a directory")?;
        for link in links(&text).filter(|link| !link.contains("://")) {
            links_seen += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.to_owned() } else { directory.join(file) };
            if !leads_somewhere(&workspace.root().join(target), heading) {
                faults.push(format!("{}: {link} leads nowhere", document.display()));
            }
        }
        for command in commands(&text) {
            commands_seen += 1;
            if let Some(fault) = refusal(&command) {
                faults.push(format!("{}: {command}: {fault}", document.display()));
            }
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(format!("{links_seen} links and {commands_seen} commands in {} documents", listed.lines().count()))
}

fn leads_somewhere(target: &Path, heading: &str) -> bool {
    if heading.is_empty() || target.extension().is_none_or(|extension| extension != "md") {
        return target.exists();
    }
    fs::read_to_string(target).is_ok_and(|text| anchors(&text).contains(heading))
}

/// Where the links of `text` lead. What stands between backticks is code.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split('`').step_by(2);
    prose.flat_map(|prose| prose.split("](").skip(1)).filter_map(|rest| rest.split(')').next())
}

/// The commands of ours in the code of `text`, as somebody would type them.
fn commands(text: &str) -> Vec<String> {
    let mut code = Vec::new();
    for (number, part) in text.split("```").enumerate() {
        if number % 2 == 1 {
            code.extend(part.lines().skip(1).map(str::to_owned));
        } else {
            code.extend(
                part.split('`').skip(1).step_by(2).map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")),
            );
        }
    }
    let begins =
        |line: &String| Some(line[line.find(OURS)?..].split(['#', '|', '&', ';', '>']).next()?.trim().to_owned());
    code.iter().filter_map(begins).collect()
}

/// Why `cargo xtask` wouldn't take it.
fn refusal(command: &str) -> Option<String> {
    let words = command.trim_start_matches(OURS).split_whitespace();
    let error = Arguments::command().try_get_matches_from(["cargo xtask"].into_iter().chain(words)).err()?;
    let asks_for_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    (!asks_for_help).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
}

/// What the headings of `text` are called in links: small letters, hyphens for blanks, and no other signs; a number for
/// each that was there before.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut times = BTreeMap::new();
    let prose = text.split("\n```").step_by(2).flat_map(str::lines);
    let headings =
        prose.filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    headings
        .map(|heading| {
            let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
            let name: String = kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
            let name = name.to_lowercase();
            let before = times.entry(name.clone()).and_modify(|times| *times += 1).or_insert(0_u32);
            if *before == 0 { name } else { format!("{name}-{before}") }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_but_not_in_code() {
        let text = "`x](y)`, [a](Cargo.toml), [b](#here), [c](https://x.y) and [d](gone.md#part)";
        assert_eq!(links(text).collect::<Vec<_>>(), ["Cargo.toml", "#here", "https://x.y", "gone.md#part"]);
    }

    #[test]
    fn commands_are_read_in_code_only() {
        let text = "Say cargo xtask nothing, or `cargo\n xtask up --fresh`.\n\n```sh\nX=1 cargo xtask db   # a database\n\
                    ls && cargo xtask load --scale 2 | less\n```\nand `cargo test`.";
        assert_eq!(commands(text), ["cargo xtask up --fresh", "cargo xtask db", "cargo xtask load --scale 2"]);
    }

    #[test]
    fn a_command_that_would_be_refused_is_found() {
        for good in
            ["cargo xtask load --scale 2", "cargo xtask prove --help", "cargo xtask help", "cargo xtask replay $event"]
        {
            assert_eq!(refusal(good), None, "{good}");
        }
        for bad in ["cargo xtask lode", "cargo xtask load --scales 2", "cargo xtask load --profile holiday"] {
            assert!(refusal(bad).is_some_and(|why| why.starts_with("error: ")), "{bad}");
        }
    }

    #[test]
    fn headings_are_called_as_links_call_them() {
        let text =
            "# What isn't known\n\n## `DB_HOST`, and Redis\n```sh\n# no heading\n```\n#nor this\n## 예약\n### 예약\n";
        assert_eq!(
            anchors(text).into_iter().collect::<Vec<_>>(),
            ["db_host-and-redis", "what-isnt-known", "예약", "예약-1"]
        );
    }

    #[test]
    fn a_file_or_a_heading_that_is_gone_is_found() {
        let readme = Workspace::find().unwrap().root().join("crates/README.md");
        assert!(leads_somewhere(&readme, "") && !leads_somewhere(&readme, "no-such-heading"));
        assert!(!leads_somewhere(&readme.with_file_name("gone.md"), ""));
    }
}
