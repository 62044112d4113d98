//! What linters can't know of a workflow: whether what it names is in this checkout, and whether what it calls agrees.

use std::path::Path;

use serde_json::Value;

use super::File;

/// Directories whose files scripts name by their paths.
const DIRECTORIES: [&str; 5] = [".ci/", ".github/", "crates/", "deploy/", "docs/"];

/// How a workflow names one of the same commit.
const OURS: &str = "$/";

/// What a change is asked for on a developer's machine, and where a pipeline asks for it.
const GATE: [&str; 2] = [".ci/run", ".github/workflows/pipeline.yml"];

/// What is wrong, a line each. `known` are the commands of `cargo xtask`.
pub(super) fn faults(files: &[File], known: &[&str], root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let mut found = unpinned(&file.text);
        found.extend(unknown_commands(&file.text, known));
        found.extend(file.shell().iter().flat_map(|(_, shell)| missing_files(shell, root)));
        if !file.document.is_null() {
            found.extend(careless(&file.document));
            found.extend(calls(&file.document, files));
        }
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", file.path.display())));
    }
    let [here, there] = GATE.map(|path| files.iter().find(|file| file.path == Path::new(path)));
    faults.extend(forgotten(here, there));
    faults
}

/// Commands of the gate that pass on a developer's machine and that no pipeline asks for.
fn forgotten(here: Option<&File>, there: Option<&File>) -> Vec<String> {
    let there = commands(there);
    let missing = commands(here).into_iter().filter(|command| !there.contains(command));
    let [gate, pipeline] = GATE;
    missing.map(|command| format!("{gate} asks for `{command}`, and {pipeline} doesn't")).collect()
}

/// The lines of a file's shell that are commands of ours.
fn commands(file: Option<&File>) -> Vec<&str> {
    let lines = file.into_iter().flat_map(File::shell).flat_map(|(_, shell)| shell.lines());
    lines.map(str::trim).filter(|line| line.starts_with("cargo xtask ")).collect()
}

/// Actions that may become others overnight, or whose version nobody can read.
fn unpinned(text: &str) -> Vec<String> {
    let used = text.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix("uses: "));
    used.filter(|used| !used.starts_with(OURS) && !is_pinned(used))
        .map(|used| format!("`{used}` is not pinned as `name@<commit> # v1.2.3`"))
        .collect()
}

fn is_pinned(used: &str) -> bool {
    let Some((action, version)) = used.split_once(" # v") else { return false };
    let commit = action.rsplit_once('@').map_or("", |(_, commit)| commit);
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    commit.len() == 40 && is_hex(commit) && version.split('.').count() == 3
}

/// Commands that `cargo xtask` hasn't, also where only a comment tells of them.
fn unknown_commands(text: &str, known: &[&str]) -> Vec<String> {
    let named = text.split("cargo xtask ").skip(1);
    let named = named.filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next());
    named.filter(|name| !known.contains(name)).map(|name| format!("there is no `cargo xtask {name}`")).collect()
}

/// Files that a script names and that are not there. Names that are put together while it runs can't be judged.
fn missing_files(shell: &str, root: &Path) -> Vec<String> {
    let words = shell.split(|c: char| c.is_whitespace() || "\"'`();".contains(c));
    let named = words.filter(|word| DIRECTORIES.iter().any(|directory| word.starts_with(directory)));
    let named = named.map(|word| word.trim_end_matches(['.', ',', ':']));
    named
        .filter(|word| !word.contains(['$', '*', '<']) && !root.join(word).exists())
        .map(|word| format!("there is no {word}"))
        .collect()
}

/// Jobs that may do more, or run longer, than they say; and shell that GitHub writes into.
fn careless(workflow: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if workflow["permissions"].as_object().is_none_or(|granted| !granted.is_empty()) {
        faults.push("its `permissions` are not {}: each job is to ask for its own".to_owned());
    }
    for (name, job) in workflow["jobs"].as_object().into_iter().flatten() {
        let is_call = job["uses"].is_string();
        if !is_call && job["timeout-minutes"].is_null() {
            faults.push(format!("{name} has no timeout-minutes"));
        }
        if job["permissions"].is_null() {
            faults.push(format!("{name} doesn't say its permissions"));
        }
        let steps = job["steps"].as_array().into_iter().flatten();
        for run in steps.filter_map(|step| step["run"].as_str()).filter(|run| run.contains("${{")) {
            faults.push(format!("{name} has an expression in its shell: {}", run.lines().next().unwrap_or_default()));
        }
    }
    faults
}

/// What GitHub says of a workflow that calls another one of ours only when it is too late.
fn calls(caller: &Value, files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, job) in caller["jobs"].as_object().into_iter().flatten() {
        let Some(path) = job["uses"].as_str().and_then(|path| path.strip_prefix(OURS)) else { continue };
        let Some(callee) = files.iter().find(|file| file.path == Path::new(path)).map(|file| &file.document) else {
            faults.push(format!("{name} calls {path}, which is not there"));
            continue;
        };
        let takes = &callee["on"]["workflow_call"];
        for (given, declared) in [("with", "inputs"), ("secrets", "secrets")] {
            let (given, declared) = (&job[given], &takes[declared]);
            let wrong = keys(given).filter(|key| !keys(declared).any(|one| one == *key));
            faults.extend(wrong.map(|key| format!("{name} gives {path} a {key} it doesn't take")));
            let wanted = keys(declared).filter(|key| declared[*key]["required"] == "true" && given[*key].is_null());
            faults.extend(wanted.map(|key| format!("{name} doesn't give {path} its {key}")));
        }
        for (inner, called) in callee["jobs"].as_object().into_iter().flatten() {
            for (permission, level) in called["permissions"].as_object().into_iter().flatten() {
                let granted = job["permissions"][permission].as_str().unwrap_or("none");
                if rank(granted) < rank(level.as_str().unwrap_or_default()) {
                    faults.push(format!("{name} grants {permission}: {granted}, and {inner} in {path} wants {level}"));
                }
            }
        }
    }
    faults
}

fn keys(of: &Value) -> impl Iterator<Item = &str> {
    of.as_object().into_iter().flatten().map(|(key, _)| key.as_str())
}

fn rank(level: &str) -> u8 {
    match level {
        "write" => 2,
        "read" => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn workflow(path: &str, document: Value) -> File {
        File { path: PathBuf::from(path), text: String::new(), document }
    }

    #[test]
    fn an_action_is_pinned_by_its_commit_and_tells_its_version() {
        assert!(
            unpinned(&format!("  - uses: a/b/c@{COMMIT} # v1.2.3\n    uses: $/.github/workflows/x.yml")).is_empty()
        );
        for bad in ["a/b@v4", "a/b@main # v1.2.3", &format!("a/b@{COMMIT}"), &format!("a/b@{COMMIT} # v4")] {
            assert_eq!(unpinned(&format!("- uses: {bad}")).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_command_that_is_gone_is_found() {
        let text = "cargo xtask check\n# as `cargo xtask test` does\ncargo xtask chekc --all";
        assert_eq!(unknown_commands(text, &["check", "test"]), ["there is no `cargo xtask chekc`"]);
    }

    #[test]
    fn a_file_that_is_gone_is_found() {
        let root = crate::workspace::Workspace::find().unwrap().root().to_owned();
        let shell = ".ci/run && cat \"deploy/gone.yaml\" deploy/$environment docs/images.md";
        assert_eq!(missing_files(shell, &root), ["there is no deploy/gone.yaml"]);
    }

    #[test]
    fn a_job_says_what_it_may_and_how_long() {
        let document = json!({ "permissions": { "contents": "write" }, "jobs": {
            "one": { "steps": [{ "run": "echo ${{ github.head_ref }}" }] },
        }});
        assert_eq!(careless(&document).len(), 4);
        let document = json!({ "permissions": {}, "jobs": {
            "one": { "timeout-minutes": "5", "permissions": {}, "steps": [{ "run": "echo \"$HEAD\"" }] },
            "two": { "permissions": {}, "uses": "$/.github/workflows/x.yml" },
        }});
        assert_eq!(careless(&document), Vec::<String>::new());
    }

    #[test]
    fn what_is_asked_of_a_change_here_is_asked_of_it_there() {
        let script = |text: &str| File { path: GATE[0].into(), text: text.to_owned(), document: Value::Null };
        let pipeline = workflow(GATE[1], json!({ "jobs": { "a": { "steps": [{ "run": "cargo xtask check" }] } } }));
        let faults = |text: &str| forgotten(Some(&script(text)), Some(&pipeline));
        assert_eq!(faults("# All of it.\ncargo xtask check\n"), Vec::<String>::new());
        assert_eq!(faults("cargo xtask check\ncargo xtask test").len(), 1);
        assert_eq!(faults("cargo xtask check --live").len(), 1);
    }

    #[test]
    fn who_calls_gives_what_is_wanted_and_grants_it() {
        let callee = json!({
            "on": { "workflow_call": { "inputs": { "what": { "required": "true" }, "why": {} } } },
            "jobs": { "do": { "permissions": { "contents": "write" } } },
        });
        let call = |with: Value, contents: &str| {
            let job = json!({ "uses": "$/x.yml", "with": with, "permissions": { "contents": contents } });
            calls(&json!({ "jobs": { "call": job } }), &[workflow("x.yml", callee.clone())])
        };
        assert_eq!(call(json!({ "what": "a" }), "write"), Vec::<String>::new());
        assert_eq!(call(json!({ "what": "a", "who": "b" }), "write"), ["call gives x.yml a who it doesn't take"]);
        assert_eq!(call(json!({}), "write"), ["call doesn't give x.yml its what"]);
        assert_eq!(call(json!({ "what": "a" }), "read").len(), 1);
        assert_eq!(calls(&json!({ "jobs": { "call": { "uses": "$/y.yml" } } }), &[]).len(), 1);
    }
}
