//! The objects in a folder: `s3s-fs`, and what Amazon's S3 does beyond it.
//!
//! Added here: a write with a wrong checksum leaves nothing behind; checksums are returned only where asked for, and
//! CRC64NVME always then, over the bytes as they lie there; parts are checked, by checksum and by ETag; two conditional
//! writes to a key at once are a conflict.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest};
use futures::TryStreamExt;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumMode, ChecksumType, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput,
    DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, ETag, GetBucketLocationInput, GetBucketLocationOutput,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput,
    PutObjectInput, PutObjectOutput, StreamingBlob, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

use super::{IfNoneMatch, Open, Upload};

/// Takes every checksum off an input or output.
macro_rules! clear_checksums {
    ($of:expr) => {
        $of.checksum_crc32 = None;
        $of.checksum_crc32c = None;
        $of.checksum_crc64nvme = None;
        $of.checksum_sha1 = None;
        $of.checksum_sha256 = None;
    };
}

/// How much of an object is read at a time.
const READ_BYTES: usize = 256 * 1024;

pub(super) struct Store {
    files: FileSystem,
    root: PathBuf,
    open: Arc<Open>,
    /// The keys to which a conditional write is under way.
    writing: Mutex<HashSet<(String, String)>>,
    kept: AtomicU64,
}

impl Store {
    pub(super) fn new(root: &Path, open: Arc<Open>) -> io::Result<Self> {
        let files = FileSystem::new(root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        Ok(Self { files, root: root.to_owned(), open, writing: Mutex::default(), kept: AtomicU64::new(0) })
    }

    /// Begins a conditional write: refused where the store does not know such, or another one is under way.
    fn begin(&self, bucket: &str, key: &str) -> S3Result<Writing<'_>> {
        match self.open.quirks().if_none_match {
            IfNoneMatch::Honoured => {}
            IfNoneMatch::NotImplemented => return Err(s3_error!(NotImplemented, "If-None-Match is not implemented")),
            IfNoneMatch::BadRequest => return Err(s3_error!(InvalidArgument, "If-None-Match is not supported")),
        }
        let place = (bucket.to_owned(), key.to_owned());
        if self.writing().insert(place.clone()) {
            Ok(Writing { store: self, place })
        } else {
            Err(s3_error!(ConditionalRequestConflict))
        }
    }

    /// `s3s-fs` would make a bucket by writing into it.
    fn find_bucket(&self, bucket: &str) -> S3Result<()> {
        if self.root.join(bucket).is_dir() { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }

    fn writing(&self) -> std::sync::MutexGuard<'_, HashSet<(String, String)>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.join(bucket).join(key)
    }

    /// Keeps what lies under a key until the write to it has succeeded.
    fn keep(&self, path: PathBuf) -> io::Result<Kept> {
        let copy = self.root.join(format!(".kept-{}", self.kept.fetch_add(1, Ordering::Relaxed)));
        let copy = match std::fs::hard_link(&path, &copy) {
            Ok(()) => Some(copy),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Kept { path, copy })
    }

    /// Without the right to list, what is missing looks forbidden.
    fn hide_missing(&self, error: S3Error) -> S3Error {
        let missing = *error.code() == S3ErrorCode::NoSuchKey;
        if missing && self.open.hides_missing() { s3_error!(AccessDenied) } else { error }
    }

    /// Checksums are asked for by a header, or on a presigned URL by a parameter.
    fn wants_checksums<T>(&self, request: &S3Request<T>, mode: Option<&ChecksumMode>) -> bool {
        let by_query = form_urlencoded::parse(request.uri.query().unwrap_or_default().as_bytes())
            .any(|(name, value)| name.eq_ignore_ascii_case("x-amz-checksum-mode") && value == "ENABLED");
        !self.open.quirks().without_checksums && (mode.is_some() || by_query)
    }

    /// CRC64NVME of the bytes under a key, as the header writes it.
    async fn crc64nvme(&self, bucket: &str, key: &str) -> io::Result<String> {
        let path = self.path(bucket, key);
        let digest = tokio::task::spawn_blocking(move || {
            let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
            let mut object = io::BufReader::with_capacity(READ_BYTES, std::fs::File::open(path)?);
            io::copy(&mut object, &mut digest)?;
            Ok::<_, io::Error>(digest)
        });
        digest.await?.map(|digest| written(&digest))
    }
}

fn written(digest: &Digest) -> String {
    STANDARD.encode(digest.finalize().to_be_bytes())
}

fn is_multipart(etag: Option<&ETag>) -> bool {
    etag.is_some_and(|etag| etag.value().contains('-'))
}

/// A conditional write under way.
struct Writing<'a> {
    store: &'a Store,
    place: (String, String),
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.store.writing().remove(&self.place);
    }
}

/// What lay under a key before a write.
struct Kept {
    path: PathBuf,
    copy: Option<PathBuf>,
}

impl Kept {
    fn restore(mut self) -> io::Result<()> {
        match self.copy.take() {
            Some(copy) => std::fs::rename(copy, &self.path),
            None => std::fs::remove_file(&self.path),
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy
            && let Err(error) = std::fs::remove_file(copy)
        {
            tracing::warn!(%error, path = %copy.display(), "sandbox: a kept object could not be removed");
        }
    }
}

#[async_trait]
impl s3s::S3 for Store {
    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = &mut request.input;
        self.find_bucket(&input.bucket)?;
        let _writing = if input.if_none_match.is_some() { Some(self.begin(&input.bucket, &input.key)?) } else { None };
        let without_checksums = self.open.quirks().without_checksums;
        if without_checksums {
            input.checksum_algorithm = None;
            clear_checksums!(input);
        }
        let kept = self.keep(self.path(&input.bucket, &input.key)).map_err(S3Error::internal_error)?;
        match self.files.put_object(request).await {
            Ok(mut response) if without_checksums => {
                clear_checksums!(response.output);
                Ok(response)
            }
            Err(error) if *error.code() == S3ErrorCode::BadDigest => {
                kept.restore().map_err(S3Error::internal_error)?;
                Err(error)
            }
            other => other,
        }
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let wanted = self.wants_checksums(&request, request.input.checksum_mode.as_ref());
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let mut response = self.files.head_object(request).await.map_err(|error| self.hide_missing(error))?;
        let output = &mut response.output;
        if !wanted || is_multipart(output.e_tag.as_ref()) {
            clear_checksums!(output);
        }
        if wanted {
            output.checksum_crc64nvme = Some(self.crc64nvme(&bucket, &key).await.map_err(S3Error::internal_error)?);
            output.checksum_type = Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT));
        }
        Ok(response)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let wanted = self.wants_checksums(&request, request.input.checksum_mode.as_ref());
        let mut response = self.files.get_object(request).await.map_err(|error| self.hide_missing(error))?;
        if !wanted || is_multipart(response.output.e_tag.as_ref()) {
            clear_checksums!(response.output);
        }
        Ok(response)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.find_bucket(&request.input.bucket)?;
        let key = request.input.key.clone();
        let response = self.files.create_multipart_upload(request).await?;
        if let Some(id) = &response.output.upload_id {
            self.open.uploads().insert(id.clone(), Upload { key, parts: std::collections::BTreeMap::new() });
        }
        Ok(response)
    }

    async fn upload_part(&self, mut request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = &mut request.input;
        if !self.open.uploads().contains_key(&input.upload_id) {
            return Err(s3_error!(NoSuchUpload));
        }
        let (id, number) = (input.upload_id.clone(), input.part_number);
        let said = input.checksum_crc64nvme.take().filter(|_| !self.open.quirks().without_checksums);
        let digest = Arc::new(Mutex::new(Digest::new(CrcAlgorithm::Crc64Nvme)));
        let passing = Arc::clone(&digest);
        input.body = input.body.take().map(|body| {
            StreamingBlob::wrap(body.map_err(io::Error::other).inspect_ok(move |bytes| {
                passing.lock().unwrap_or_else(PoisonError::into_inner).update(bytes);
            }))
        });
        let mut response = self.files.upload_part(request).await?;
        let crc = written(&digest.lock().unwrap_or_else(PoisonError::into_inner));
        if said.as_ref().is_some_and(|said| *said != crc) {
            return Err(s3_error!(BadDigest, "The CRC64NVME you specified did not match the part"));
        }
        response.output.checksum_crc64nvme = said;
        if let (Some(upload), Some(etag)) = (self.open.uploads().get_mut(&id), &response.output.e_tag) {
            upload.parts.insert(number, etag.value().to_owned());
        }
        Ok(response)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &request.input;
        let (id, bucket, key) = (input.upload_id.clone(), input.bucket.clone(), input.key.clone());
        {
            let uploads = self.open.uploads();
            let upload = uploads.get(&id).ok_or_else(|| s3_error!(NoSuchUpload))?;
            let listed = input.multipart_upload.iter().flat_map(|listed| listed.parts.iter().flatten());
            for part in listed {
                let stored = part.part_number.and_then(|number| upload.parts.get(&number));
                if stored.is_none() || stored.map(String::as_str) != part.e_tag.as_ref().map(ETag::value) {
                    return Err(s3_error!(InvalidPart));
                }
            }
        }
        let _writing = if input.if_none_match.is_some() { Some(self.begin(&bucket, &key)?) } else { None };
        let without_checksums = self.open.quirks().without_checksums;
        let said = input.checksum_crc64nvme.clone().filter(|_| !without_checksums);
        let kept = self.keep(self.path(&bucket, &key)).map_err(S3Error::internal_error)?;
        let mut response = self.files.complete_multipart_upload(request).await?;
        self.open.uploads().remove(&id);
        let crc = self.crc64nvme(&bucket, &key).await.map_err(S3Error::internal_error)?;
        if said.is_some_and(|said| said != crc) {
            kept.restore().map_err(S3Error::internal_error)?;
            return Err(s3_error!(BadDigest, "The CRC64NVME you specified did not match the object"));
        }
        if let Some(output) = response.output.future.take() {
            response.output = output.await?;
        }
        if !without_checksums {
            response.output.checksum_crc64nvme = Some(crc);
            response.output.checksum_type = Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT));
        }
        Ok(response)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let id = request.input.upload_id.clone();
        if self.open.uploads().remove(&id).is_none() {
            return Err(s3_error!(NoSuchUpload));
        }
        self.files.abort_multipart_upload(request).await
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.files.list_parts(request).await
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        self.files.list_objects(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.files.list_objects_v2(request).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.files.delete_object(request).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.files.delete_objects(request).await
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(request).await
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.files.get_bucket_location(request).await
    }
}
