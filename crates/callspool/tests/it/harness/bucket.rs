//! The customer's bucket, beside callspool and what a story asks of it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use callspool_domain::audio::AudioFormat;
use callspool_sandbox::{S3, S3Options};

use super::World;

/// A bucket without a prefix.
pub(crate) struct Bucket(S3);

impl Bucket {
    /// Starts it and configures callspool for it.
    pub(crate) async fn beside(world: &mut World) -> Self {
        let options = S3Options::default();
        world.set("ARCHIVE_URL", format!("s3://{}", options.bucket));
        world.set("AWS_ACCESS_KEY_ID", options.access_key.as_str());
        world.set("AWS_SECRET_ACCESS_KEY", options.secret_key.expose());
        let s3 = S3::start(options).await.expect("the stand-in starts");
        world.set("S3_ENDPOINT", s3.base_url());
        Self(s3)
    }

    /// The metadata of an object that callspool wrote, without the names' prefix.
    pub(crate) async fn metadata(&self, world: &World, key: &str) -> BTreeMap<String, String> {
        let url = world.app().archive.sign(key, Duration::from_secs(60), "inline", AudioFormat::Wav).await;
        let url = url.expect("signed").expect("a store signs");
        let answer = world.http.get(url).send().await.expect("an answer");
        assert_eq!(answer.status(), http::StatusCode::OK);
        let headers = answer.headers().iter();
        let metadata = headers.filter_map(|(name, text)| Some((name.as_str().strip_prefix("x-amz-meta-")?, text)));
        metadata.map(|(name, text)| (name.to_owned(), text.to_str().expect("ASCII").to_owned())).collect()
    }

    /// Ends the story: beside what [`World::end`] looks at, nothing unheard-of was asked, and nothing of a recording has
    /// come to lie on this machine.
    pub(crate) async fn end(self, world: World) {
        assert_eq!(self.unexpected_requests(), Vec::<String>::new());
        let entries = std::fs::read_dir(world.folder.path()).expect("the story's folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
        let strangers: Vec<String> = names.filter(|name| !name.starts_with("callspool.db")).collect();
        assert_eq!(strangers, Vec::<String>::new(), "there is more than the ledger");
        world.end().await;
    }
}

impl Deref for Bucket {
    type Target = S3;

    fn deref(&self) -> &S3 {
        &self.0
    }
}
