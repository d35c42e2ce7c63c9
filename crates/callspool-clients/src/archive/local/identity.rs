//! Which folder this is: a small file in it holds an id that the ledger knows as well.
//!
//! Without it the empty folder that is left when a file system is not mounted looks like an archive that nothing was
//! written to yet, and would be filled.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use callspool_domain::{Code, StepFailure};

use super::{TEMPORARY_FOLDER, disk, temporary};

/// The file, in the folder itself, so that it is in every backup of it.
pub(super) const MARKER: &str = ".callspool-archive";

/// Makes the folder where it is missing and gives it this id, or returns the one that it has.
pub(super) fn establish(root: &Path, fresh: &str) -> io::Result<String> {
    let hidden = root.join(TEMPORARY_FOLDER);
    disk::make_root(&hidden)?;
    let (mut file, growing) = temporary::create_locked(&hidden.join("identity"))?;
    writeln!(file, "{fresh}")?;
    file.sync_all()?;
    // Of two starts at once one gives the id, as a whole; the other takes it.
    match fs::hard_link(&growing.0, root.join(MARKER)) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        linked => linked?,
    }
    fs::File::open(root)?.sync_all()?;
    let id = read(root)?;
    if id.is_empty() { Err(io::Error::new(ErrorKind::InvalidData, format!("{MARKER} is empty"))) } else { Ok(id) }
}

/// Makes sure that the folder with this id is at its place now.
pub(super) fn check(root: &Path, id: &str) -> Result<(), StepFailure> {
    let cause = match read(root) {
        Ok(found) if found == id => return Ok(()),
        Ok(_) => format!("its {MARKER} names another archive"),
        Err(error) => format!("its {MARKER} can't be read ({error})"),
    };
    let root = root.display();
    let detail = format!(
        "{root} is not the folder archived to so far: {cause}; mount or restore the right one, or, to go on in this \
         one, write the line {id} to {root}/{MARKER}"
    );
    Err(StepFailure::new(Code::ArchiveUnavailable, detail))
}

fn read(root: &Path) -> io::Result<String> {
    fs::read_to_string(root.join(MARKER)).map(|id| id.trim().to_owned())
}
