//! What comes of each fault at the archive, brand by brand: where a store says what is wrong (in a body, in a header), and
//! whether its answer has a body that can break, differ.

use callspool_domain::Code;
use callspool_sandbox::{BodyKind, Brand, Fault};

use super::Endpoint::{
    self, AbortUpload, BeginUpload, CompleteUpload, LookBeforeCompleting, Put, ReadBack, ReadBeforeRelease, UploadPart,
    WhatIsInIt, WhoseIsIt,
};
use super::Outcome::{self, Harmless, Waits};
use super::{has_no_head, is_seen_cut, is_slow, refusal};

const NO_STORE: Outcome = Waits(&[Code::ArchiveRejected]);
const BROKEN: Outcome = Waits(&[Code::ArchiveUnreachable]);
const STALLED: Outcome = Waits(&[Code::ArchiveStalled]);
const OUT: Outcome = Waits(&[Code::ArchiveUnavailable]);
const OTHER: Outcome = Waits(&[Code::ArchiveMismatch]);
/// The connection may break while the body is still being sent.
const EARLY: Outcome = Waits(&[Code::ArchiveThrottled, Code::ArchiveUnreachable]);

/// What is expected.
pub(super) fn expected(endpoint: Endpoint, brand: Brand, fault: &Fault) -> Outcome {
    match brand {
        Brand::S3 => of_s3(endpoint, fault),
        Brand::Gcs => of_google(endpoint, fault),
        Brand::Azure => of_azure(endpoint, fault),
    }
}

/// What a status means wherever the store's own words add nothing.
fn of_status(fault: &Fault, status: u16) -> Outcome {
    // A body without an end is nobody's words.
    let says_slow_down = !matches!(fault, Fault::Endless(_));
    match status {
        401 | 403 => Waits(&[Code::ArchiveUnauthorized]),
        409 | 412 => Waits(&[Code::ArchiveConflict]),
        429 => Waits(&[Code::ArchiveThrottled]),
        503 if says_slow_down => Waits(&[Code::ArchiveThrottled]),
        507 => Waits(&[Code::ArchiveFull]),
        408 | 425 | 500.. => OUT,
        _ => NO_STORE,
    }
}

fn of_s3(endpoint: Endpoint, fault: &Fault) -> Outcome {
    let writes = matches!(endpoint, Put | BeginUpload | UploadPart | CompleteUpload | AbortUpload);
    match (endpoint, fault) {
        // The connection may break while the body is still being sent.
        (Put | UploadPart, Fault::Early(_)) => {
            return EARLY;
        }
        (_, Fault::Endless(_)) if writes => return BROKEN,
        _ => {}
    }
    if let Some(status) = refusal(fault) {
        return refusal_of_s3(endpoint, fault, status);
    }
    match (endpoint, fault) {
        _ if has_no_head(fault) => BROKEN,
        (_, Fault::Hang) => STALLED,
        // An error under status 200, as a store may write when it completes an upload.
        (_, Fault::WrongBody { body: BodyKind::Xml, .. }) if writes => OUT,
        // The bad audio it was about is what there is to say.
        (AbortUpload, _) => Waits(&[Code::MediaTruncated]),
        _ if is_slow(fault) => Harmless,
        (Put | UploadPart, Fault::WrongBody { .. } | Fault::Text { .. }) => NO_STORE,
        (BeginUpload | CompleteUpload, Fault::Longer(_)) => Harmless,
        (BeginUpload | CompleteUpload, _) if is_seen_cut(fault) => BROKEN,
        (BeginUpload | CompleteUpload, Fault::Stall(_)) => STALLED,
        (BeginUpload | CompleteUpload, _) => NO_STORE,
        // A HEAD is its head.
        (ReadBack | WhoseIsIt | LookBeforeCompleting, Fault::Longer(_)) => OTHER,
        // It is no store that answers so.
        (
            ReadBack | WhoseIsIt | LookBeforeCompleting,
            Fault::WrongBody { .. } | Fault::Text { .. } | Fault::Endless(_),
        ) => OUT,
        (WhatIsInIt | ReadBeforeRelease, _) if is_seen_cut(fault) => BROKEN,
        (WhatIsInIt | ReadBeforeRelease, Fault::Stall(_)) => STALLED,
        (WhatIsInIt | ReadBeforeRelease, Fault::Truncate { .. } | Fault::Endless(_)) => NO_STORE,
        (ReadBeforeRelease, _) => OTHER,
        // Bytes of ours that nobody has verified yet are written once more.
        _ => Harmless,
    }
}

fn refusal_of_s3(endpoint: Endpoint, fault: &Fault, status: u16) -> Outcome {
    let is_head = matches!(endpoint, ReadBack | WhoseIsIt | LookBeforeCompleting);
    // The store's word for "too often" stands in a body, which a HEAD has not.
    let says_slow_down = !is_head;
    match status {
        404 => match endpoint {
            WhoseIsIt => Waits(&[Code::ArchiveConflict]),
            // The next attempt is told that the key is taken, and then that there is nothing.
            ReadBack => Waits(&[Code::ArchiveObjectGone, Code::ArchiveConflict]),
            LookBeforeCompleting | WhatIsInIt | ReadBeforeRelease => Waits(&[Code::ArchiveObjectGone]),
            _ => NO_STORE,
        },
        503 if !says_slow_down => OUT,
        _ => of_status(fault, status),
    }
}

fn of_google(endpoint: Endpoint, fault: &Fault) -> Outcome {
    let reads = matches!(endpoint, WhatIsInIt | ReadBeforeRelease);
    let writes = matches!(endpoint, Put | BeginUpload | UploadPart | CompleteUpload | AbortUpload);
    match (endpoint, fault) {
        (Put | UploadPart | CompleteUpload, Fault::Early(_)) => return EARLY,
        (_, Fault::Endless(_)) if writes => return BROKEN,
        _ => {}
    }
    match refusal(fault) {
        // What the stand-in says is that there is no such bucket.
        Some(404) => return NO_STORE,
        // An upload that is over is begun again.
        Some(410) => return Waits(&[Code::ArchiveConflict]),
        Some(status) => return of_status(fault, status),
        None => {}
    }
    match (endpoint, fault) {
        _ if has_no_head(fault) => BROKEN,
        (_, Fault::Hang) => STALLED,
        // The bad audio it was about is what there is to say.
        (AbortUpload, _) => Waits(&[Code::MediaTruncated]),
        _ if is_slow(fault) => Harmless,
        // "200" means that the whole is there, and there is more to come.
        (UploadPart, Fault::WrongBody { .. } | Fault::Text { .. }) => OUT,
        // It began without an id.
        (BeginUpload, Fault::WrongBody { .. } | Fault::Text { .. }) => NO_STORE,
        // What matters is in the head.
        (UploadPart | BeginUpload, _) => Harmless,
        _ if is_seen_cut(fault) => BROKEN,
        (_, Fault::Stall(_)) => STALLED,
        // A description has a bound; an object has a length.
        (_, Fault::Endless(_)) if !reads => BROKEN,
        (_, Fault::Truncate { .. } | Fault::Endless(_)) => NO_STORE,
        (ReadBeforeRelease, _) => OTHER,
        // Bytes of ours that nobody has verified yet are written once more.
        (WhatIsInIt, _) => Harmless,
        // No description of an object.
        _ => NO_STORE,
    }
}

fn of_azure(endpoint: Endpoint, fault: &Fault) -> Outcome {
    let writes = matches!(endpoint, Put | UploadPart | CompleteUpload);
    match (endpoint, fault) {
        (Put | UploadPart, Fault::Early(_)) => return EARLY,
        (_, Fault::Endless(_)) if writes => return BROKEN,
        _ => {}
    }
    match (endpoint, refusal(fault)) {
        // Without the right to look, the write that follows settles it.
        (LookBeforeCompleting, Some(401 | 403)) => return Harmless,
        // What the stand-in says, in a header too, is that there is no such container.
        (_, Some(404)) => return NO_STORE,
        (_, Some(status)) => return of_status(fault, status),
        (_, None) => {}
    }
    match (endpoint, fault) {
        _ if has_no_head(fault) => BROKEN,
        (_, Fault::Hang) => STALLED,
        _ if is_slow(fault) => Harmless,
        // A write is answered by 201.
        (_, Fault::WrongBody { .. } | Fault::Text { .. }) if writes => NO_STORE,
        // A HEAD is its head, and it is no store that names no version.
        (WhoseIsIt | LookBeforeCompleting, Fault::WrongBody { .. } | Fault::Text { .. } | Fault::Endless(_)) => OUT,
        // There is no body that could break.
        (WhoseIsIt | LookBeforeCompleting, _) => Harmless,
        _ if writes => Harmless,
        // Everything else reads the object in full.
        _ if is_seen_cut(fault) => BROKEN,
        (_, Fault::Stall(_)) => STALLED,
        (_, Fault::Truncate { .. } | Fault::Endless(_)) => NO_STORE,
        _ => OTHER,
    }
}
