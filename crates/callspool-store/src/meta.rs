//! Small values of the installation, such as the key its own URLs are signed with.

use crate::{Result, Store};

impl Store {
    /// The value of that name.
    pub async fn meta_get(&self, name: &str) -> Result<Option<String>> {
        let _ = name;
        todo!()
    }

    /// Stores `value` where there is none of that name yet; returns the one that is stored now.
    pub async fn meta_set_if_absent(&self, name: &str, value: &str) -> Result<String> {
        let _ = (name, value);
        todo!()
    }
}
