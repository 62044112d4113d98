//! Finding installed programs. Debian keeps servers in directories that an ordinary user's PATH does not have.

use std::env;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Where servers are, besides the directories of PATH.
const MORE: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"];

/// The first of `names` that is installed.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = env::split_paths(&path).chain(MORE.map(PathBuf::from)).collect();
    find_in(&directories, names)
}

/// The first of `names` in any of `directories`: an earlier name is better than an earlier directory.
fn find_in(directories: &[PathBuf], names: &[&str]) -> Option<PathBuf> {
    names
        .iter()
        .flat_map(|name| directories.iter().map(move |directory| directory.join(name)))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_name_wins_over_an_earlier_directory() {
        let directories = [PathBuf::from("/nowhere"), PathBuf::from("/bin")];
        assert_eq!(find_in(&directories, &["no-such-program", "sh"]), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find_in(&directories, &["no-such-program"]), None);
    }
}
