//! The sweep: calls whose time to be planned again has come, at a cost that does not grow with history.

use callspool_domain::Timestamp;

use crate::{Result, Store};

impl Store {
    /// Plans up to `limit` calls that are due for it; returns how many. After a changed policy it makes every call due, a
    /// page at a time. Call it again soon while it returns `limit`.
    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64> {
        let _ = (now, limit);
        todo!()
    }
}
