//! The customer's bucket, beside callspool and what a story asks of it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use callspool_domain::audio::AudioFormat;
use callspool_sandbox::s3::Quirks;
use callspool_sandbox::{Brand, S3, Store};

use super::World;

/// A bucket without a prefix: S3's, where nothing else is said.
pub(crate) struct Bucket(Store);

/// The same at Google's.
pub(crate) struct GoogleBucket;

/// The same at Azure's.
pub(crate) struct AzureContainer;

impl GoogleBucket {
    pub(crate) async fn beside(world: &mut World) -> Bucket {
        Bucket::of(Brand::Gcs, world).await
    }
}

impl AzureContainer {
    pub(crate) async fn beside(world: &mut World) -> Bucket {
        Bucket::of(Brand::Azure, world).await
    }
}

impl Bucket {
    /// Starts it and configures callspool for it.
    pub(crate) async fn beside(world: &mut World) -> Self {
        Self::of(Brand::S3, world).await
    }

    /// The same at the store of this brand.
    pub(crate) async fn of(brand: Brand, world: &mut World) -> Self {
        let store = Store::start(brand).await.expect("the stand-in starts");
        for (name, text) in store.settings("") {
            world.set(name, text);
        }
        Self(store)
    }

    /// The S3 it is, with what only S3 has.
    pub(crate) fn s3(&self) -> &S3 {
        let Store::S3(s3) = &self.0 else { panic!("it is no S3") };
        s3
    }

    /// Makes an S3 differ from Amazon's.
    pub(crate) fn set_quirks(&self, quirks: Quirks) {
        self.s3().set_quirks(quirks);
    }

    /// The metadata of an object that callspool wrote, without the names' prefix.
    pub(crate) async fn metadata(&self, world: &World, key: &str) -> BTreeMap<String, String> {
        if let Some(metadata) = self.0.metadata(key) {
            return metadata;
        }
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
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.0
    }
}
