//! The documents say what the program does: every setting and every failure has its place in them.

use std::path::{Path, PathBuf};

use callspool::config::{LATER, SETTINGS, Setting};
use callspool_domain::Code;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_setting_stands_in_the_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let names = SETTINGS.iter().flat_map(Setting::names);
    let missing: Vec<&str> = names.filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(LATER.iter().all(|later| SETTINGS.iter().all(|setting| setting.name != *later)));
}

#[test]
fn every_failure_has_a_page_and_every_page_a_failure() {
    let folder = root().join("docs/errors");
    let missing: Vec<&str> =
        Code::ALL.iter().map(|code| code.as_str()).filter(|code| !folder.join(format!("{code}.md")).exists()).collect();
    assert_eq!(missing, Vec::<&str>::new());
    for page in std::fs::read_dir(folder).expect("docs/errors") {
        let name = page.expect("a page").file_name().into_string().expect("a name");
        let stem = name.strip_suffix(".md").expect("a page ends in .md");
        assert!(stem == "README" || Code::parse(stem).is_some(), "{name} describes a failure that does not exist");
    }
}
