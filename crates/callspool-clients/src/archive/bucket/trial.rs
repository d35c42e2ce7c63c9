//! What the bucket's credentials may do, tried out on the probe object.

use bytes::Bytes;
use callspool_domain::StepFailure;
use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Contents;
use object_store::path::Path;

use super::Bucket;
use super::failure::Trouble;
use super::store::{Condition, Label};
use crate::archive::rights::{MISSING_KEY, PROBE_BYTES, PROBE_FOLDER, PROBE_KEY, Rights, came_back_different};
use crate::http::read_capped;

impl Bucket {
    /// Writes, reads, lists and deletes the probe object. The failure is one of the settings.
    pub async fn try_rights(&self) -> Result<Rights, StepFailure> {
        let path = self.path(PROBE_KEY)?;
        let credentials = self.store.credentials().await;
        credentials.map_err(|trouble| trouble.failure("trying the archive's rights"))?;
        let put = self.try_put(&path).await;
        let written = put.is_ok();
        let (get, head) =
            if written { (self.try_get(&path).await, self.try_head(&path).await) } else { (Ok(()), Ok(())) };
        let list = self.try_list().await;
        let looked = self.store.look(&self.path(MISSING_KEY)?).await;
        let missing_is_told = !matches!(looked, Err(Trouble::Refused(refusal)) if refusal.is_forbidden());
        let delete = if written { self.try_delete(&path).await } else { Ok(()) };
        Ok(Rights { put, get, head, list, missing_is_told, delete })
    }

    async fn try_put(&self, path: &Path) -> Result<(), StepFailure> {
        let label = Label { contents: Contents::Audio(AudioFormat::Wav), metadata: Vec::new() };
        match self.store.put(path, Bytes::from_static(PROBE_BYTES), &label, &Condition::Absent).await {
            Ok(()) => Ok(()),
            // It lies there from a trial before; whoever may not write is not told so.
            Err(trouble) if trouble.is_taken() => Ok(()),
            Err(trouble) => Err(trouble.failure(&format!("writing {PROBE_KEY}"))),
        }
    }

    async fn try_get(&self, path: &Path) -> Result<(), StepFailure> {
        let what = format!("reading {PROBE_KEY}");
        let got = self.store.get(path, None).await.map_err(|trouble| trouble.failure(&what))?;
        let Some(response) = got else { return Err(self.gone(PROBE_KEY)) };
        let body = read_capped(response, PROBE_BYTES.len() + 1).await.unwrap_or_default();
        if body == PROBE_BYTES { Ok(()) } else { Err(came_back_different()) }
    }

    async fn try_head(&self, path: &Path) -> Result<(), StepFailure> {
        let looked =
            self.store.look(path).await.map_err(|trouble| trouble.failure(&format!("looking at {PROBE_KEY}")))?;
        looked.map(drop).ok_or_else(|| self.gone(PROBE_KEY))
    }

    async fn try_list(&self) -> Result<(), StepFailure> {
        let folder = self.path(PROBE_FOLDER)?;
        self.store.list(&folder).await.map_err(|trouble| trouble.failure("listing"))
    }

    async fn try_delete(&self, path: &Path) -> Result<(), StepFailure> {
        self.store.delete(path).await.map_err(|trouble| trouble.failure(&format!("deleting {PROBE_KEY}")))
    }
}
