//! Secrets as files, as clusters and compose mount them: where a setting `X` is secret, `X_FILE` may name a file that
//! holds its value.
//!
//! The trap is the newline that editors and `echo` leave at the end of a file: one is cut, and nothing else, because a
//! password may begin or end with a space.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The variable that names the file of the secret setting `name`.
pub(crate) fn variable(name: &str) -> String {
    format!("{name}_FILE")
}

/// The value of the secret setting `name`, from the variable itself or from the file beside it; `None` where neither is
/// set.
///
/// # Errors
/// What is wrong with the file, beginning with the variable that names it. Neither its path nor its content is told.
pub(crate) fn read(name: &str, variables: &BTreeMap<String, String>) -> Result<Option<String>, String> {
    let set = |name: &str| variables.get(name).filter(|value| !value.is_empty());
    let file = variable(name);
    match (set(name), set(&file)) {
        (value, None) => Ok(value.cloned()),
        (Some(_), Some(_)) => Err(format!("{file}: is set beside {name}; set one of them")),
        (None, Some(path)) => content(Path::new(path)).map(Some).map_err(|reason| format!("{file}: {reason}")),
    }
}

fn content(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| format!("names a file that can't be read: {}", error.kind()))?;
    let text = String::from_utf8(bytes).map_err(|_| "names a file that isn't text".to_owned())?;
    let value = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if value.is_empty() { Err("names an empty file".to_owned()) } else { Ok(value.to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A file that goes away with the test.
    struct File(PathBuf);

    impl File {
        fn of(name: &str, content: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("cloudjet-{name}-{}", std::process::id()));
            fs::write(&path, content).unwrap();
            Self(path)
        }

        fn read(&self) -> Result<Option<String>, String> {
            read("KEY", &variables(&[("KEY_FILE", self.0.to_str().unwrap())]))
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn one_newline_is_cut_and_nothing_else() {
        for (content, value) in
            [(" a b ", " a b "), ("hush\n", "hush"), ("hush\r\n", "hush"), ("hush\n\n", "hush\n"), ("비밀\n", "비밀")]
        {
            let file = File::of("newline", content.as_bytes());
            assert_eq!(file.read(), Ok(Some(value.to_owned())), "{content:?}");
        }
    }

    #[test]
    fn a_file_of_no_use_is_named_by_its_variable() {
        for content in [&b""[..], b"\n", b"\r\n", b"\xff\xfe"] {
            let error = File::of("useless", content).read().unwrap_err();
            assert!(error.starts_with("KEY_FILE: names a"), "{error}");
        }
        for path in ["/nowhere/at/all", "/"] {
            let error = read("KEY", &variables(&[("KEY_FILE", path)])).unwrap_err();
            assert!(error.starts_with("KEY_FILE: names a file that can't be read: "), "{error}");
        }
    }

    #[test]
    fn an_empty_name_is_none() {
        assert_eq!(read("KEY", &variables(&[("KEY", "k"), ("KEY_FILE", "")])), Ok(Some("k".to_owned())));
        assert_eq!(read("KEY", &variables(&[("KEY", ""), ("KEY_FILE", "")])), Ok(None));
        let both = read("KEY", &variables(&[("KEY", "hush"), ("KEY_FILE", "/f")])).unwrap_err();
        assert_eq!(both, "KEY_FILE: is set beside KEY; set one of them");
    }
}
