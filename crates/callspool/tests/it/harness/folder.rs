//! The local archive as a story sees it.

use std::path::PathBuf;

use super::World;

impl World {
    /// Where the local archive is.
    pub(crate) fn archive_folder(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    /// The keys of the files in the archive folder, sorted; temporary ones too, but not the one with its id.
    pub(crate) fn archive_files(&self) -> Vec<String> {
        let root = self.archive_folder();
        let mut files = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path.strip_prefix(&root).expect("below the root").display().to_string());
                }
            }
        }
        files.retain(|key| key != ".callspool-archive");
        files.sort();
        files
    }
}
