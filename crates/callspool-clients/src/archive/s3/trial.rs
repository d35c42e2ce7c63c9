//! What the bucket's credentials may do, tried out on the probe object.

use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload};
use reqwest::{Method, StatusCode};

use callspool_domain::StepFailure;

use super::{ERROR_BYTES, S3Bucket, refusal, store_failure};
use crate::archive::rights::{MISSING_KEY, PROBE_BYTES, PROBE_FOLDER, PROBE_KEY, Rights, came_back_different};
use crate::http::read_capped;

impl S3Bucket {
    /// Writes, reads, lists and deletes the probe object. The failure is one of the settings.
    pub async fn try_rights(&self) -> Result<Rights, StepFailure> {
        let path = self.path(PROBE_KEY)?;
        self.credentials("trying the archive's rights").await?;
        let put = self.try_put(&path).await;
        let written = put.is_ok();
        let (get, head) = if written { (self.try_get().await, self.try_head().await) } else { (Ok(()), Ok(())) };
        let list = self.try_list().await;
        let missing = self.ask(Method::HEAD, MISSING_KEY, &[], "looking for nothing").await;
        let missing_is_told = missing.is_ok_and(|answer| answer.status() == StatusCode::NOT_FOUND);
        let delete = if written { self.try_delete().await } else { Ok(()) };
        Ok(Rights { put, get, head, list, missing_is_told, delete })
    }

    async fn try_put(&self, path: &Path) -> Result<(), StepFailure> {
        let put = self.store.put(path, PutPayload::from_static(PROBE_BYTES)).await;
        put.map(drop).map_err(|error| store_failure(&error, &format!("writing {PROBE_KEY}")))
    }

    async fn try_get(&self) -> Result<(), StepFailure> {
        let what = format!("reading {PROBE_KEY}");
        let response = self.ask(Method::GET, PROBE_KEY, &[], &what).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(response, &what).await);
        }
        let body = read_capped(response, ERROR_BYTES).await.unwrap_or_default();
        if body == PROBE_BYTES { Ok(()) } else { Err(came_back_different()) }
    }

    async fn try_head(&self) -> Result<(), StepFailure> {
        let what = format!("looking at {PROBE_KEY}");
        let response = self.ask(Method::HEAD, PROBE_KEY, &[], &what).await?;
        if response.status() == StatusCode::OK { Ok(()) } else { Err(refusal(response, &what).await) }
    }

    async fn try_list(&self) -> Result<(), StepFailure> {
        let prefix = self.path(PROBE_FOLDER)?;
        // One page is enough, and there is no more of it than our own object.
        let first = self.store.list(Some(&prefix)).next().await;
        first.transpose().map(drop).map_err(|error| store_failure(&error, "listing"))
    }

    async fn try_delete(&self) -> Result<(), StepFailure> {
        let what = format!("deleting {PROBE_KEY}");
        let response = self.ask(Method::DELETE, PROBE_KEY, &[], &what).await?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(refusal(response, &what).await)
    }
}
