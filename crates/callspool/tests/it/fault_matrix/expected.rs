//! What comes of each fault at each request, as an operator sees it: the step's code while the fault lasts.

use callspool_domain::Code;
use callspool_sandbox::{BodyKind, Fault};
use http::StatusCode;

use super::endpoints::{Asked, Endpoint};
use super::faults;

/// What a fault comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The step waits, with one of these codes.
    Waits(&'static [Code]),
    /// The step waits for a person.
    Parks(Code),
    /// The request succeeds, or its failure costs nothing.
    Harmless,
    /// There is no such cell, for this reason.
    LeftOut(&'static str),
}

use Outcome::{Harmless, LeftOut, Parks, Waits};

/// What is expected.
pub(super) fn expected(endpoint: Endpoint, fault: &Fault) -> Outcome {
    match (endpoint, fault) {
        (Endpoint::Deletion, Fault::Status { code: StatusCode::NOT_FOUND, .. }) => {
            LeftOut("404 is the provider's word that the recording is gone, and there is no other")
        }
        (Endpoint::UploadPart, Fault::Hang) => {
            LeftOut("a part is given as long as the slowest line needs for it, which is minutes of real time")
        }
        // What it costs is a date in a key.
        (Endpoint::WhenItBegan, _) => Harmless,
        (Endpoint::ParentCall, Fault::Delay(_) | Fault::Drip { .. }) => Harmless,
        // Without the parent nothing is found yet; the next look-up asks again.
        (Endpoint::ParentCall, _) => Waits(&[Code::JobNotFound]),
        _ => match endpoint.asked() {
            Asked::Provider(_) => of_the_provider(endpoint, fault),
            Asked::Archive(_) => of_the_archive(endpoint, fault),
            Asked::Records(_) => of_the_records(endpoint, fault),
        },
    }
}

/// The status that an answer is refused with.
fn refusal(fault: &Fault) -> Option<u16> {
    match fault {
        Fault::Status { code, .. }
        | Fault::Early(code)
        | Fault::RetryAfter { code, .. }
        | Fault::Redirect { code, .. }
        | Fault::Endless(code) => Some(code.as_u16()).filter(|code| *code != 200),
        _ => None,
    }
}

/// Whether the connection breaks before there is a head.
fn has_no_head(fault: &Fault) -> bool {
    matches!(fault, Fault::Refuse | Fault::LostReply | Fault::Reset { .. } | Fault::HugeHead(_))
}

/// Whether it shows that the body is not whole.
fn is_seen_cut(fault: &Fault) -> bool {
    matches!(fault, Fault::CutAfter(_) | Fault::Truncate { announced: true, .. })
}

fn is_slow(fault: &Fault) -> bool {
    matches!(fault, Fault::Delay(_) | Fault::Drip { .. })
}

fn of_the_provider(endpoint: Endpoint, fault: &Fault) -> Outcome {
    if let Some(status) = refusal(fault) {
        return match status {
            401 => Waits(&[Code::ProviderUnauthorized]),
            403 => Waits(&[Code::ProviderForbidden]),
            404 => Waits(&[Code::MediaNotReady]),
            429 => Waits(&[Code::ProviderThrottled]),
            408 | 425 | 500.. => Waits(&[Code::ProviderUnavailable]),
            _ => Waits(&[Code::ProviderRejected]),
        };
    }
    match (endpoint, fault) {
        _ if has_no_head(fault) => Waits(&[Code::ProviderReset]),
        (_, Fault::Hang) => Waits(&[Code::ProviderStalled]),
        (Endpoint::Deletion, Fault::WrongBody { .. } | Fault::Text { .. } | Fault::Endless(_)) => {
            Waits(&[Code::ProviderUnreadable])
        }
        // Its answer has no body that could be anything else.
        (Endpoint::Deletion, _) => Harmless,
        (_, Fault::Stall(_)) => Waits(&[Code::ProviderStalled]),
        (Endpoint::Media, _) if is_slow(fault) => Harmless,
        (Endpoint::Media, Fault::CutAfter(_)) => Waits(&[Code::ProviderReset]),
        (Endpoint::Media, Fault::Truncate { .. }) => Waits(&[Code::MediaTruncated]),
        (Endpoint::Media, Fault::Longer(_)) => Waits(&[Code::MediaOverlong]),
        (Endpoint::Media, Fault::WrongBody { body: BodyKind::Empty, .. }) => Waits(&[Code::MediaEmpty]),
        (Endpoint::Media, _) => Waits(&[Code::MediaNotAudio]),
        // What it says is read: the recording is there, and its audio is not yet.
        _ if is_slow(fault) => Waits(&[Code::MediaNotReady]),
        _ if is_seen_cut(fault) => Waits(&[Code::ProviderReset]),
        _ => Waits(&[Code::ProviderUnreadable]),
    }
}

fn of_the_archive(endpoint: Endpoint, fault: &Fault) -> Outcome {
    use Endpoint::{
        AbortUpload, BeginUpload, CompleteUpload, LookBeforeCompleting, Put, ReadBack, ReadBeforeRelease, UploadPart,
        WhatIsInIt, WhoseIsIt,
    };
    const NO_STORE: Outcome = Waits(&[Code::ArchiveRejected]);
    const BROKEN: Outcome = Waits(&[Code::ArchiveUnreachable]);
    const OUT: Outcome = Waits(&[Code::ArchiveUnavailable]);
    let writes = matches!(endpoint, Put | BeginUpload | UploadPart | CompleteUpload | AbortUpload);
    match (endpoint, fault) {
        // The connection may break while the body is still being sent.
        (Put | UploadPart, Fault::Early(_)) => {
            return Waits(&[Code::ArchiveThrottled, Code::ArchiveUnreachable]);
        }
        (_, Fault::Endless(_)) if writes => return BROKEN,
        _ => {}
    }
    if let Some(status) = refusal(fault) {
        return archive_refusal(endpoint, fault, status);
    }
    match (endpoint, fault) {
        _ if has_no_head(fault) => BROKEN,
        (_, Fault::Hang) => Waits(&[Code::ArchiveStalled]),
        // An error under status 200, as a store may write when it completes an upload.
        (_, Fault::WrongBody { body: BodyKind::Xml, .. }) if writes => OUT,
        // The bad audio it was about is what there is to say.
        (AbortUpload, _) => Waits(&[Code::MediaTruncated]),
        _ if is_slow(fault) => Harmless,
        (Put | UploadPart, Fault::WrongBody { .. } | Fault::Text { .. }) => NO_STORE,
        (BeginUpload | CompleteUpload, Fault::Longer(_)) => Harmless,
        (BeginUpload | CompleteUpload, _) if is_seen_cut(fault) => BROKEN,
        (BeginUpload | CompleteUpload, Fault::Stall(_)) => Waits(&[Code::ArchiveStalled]),
        (BeginUpload | CompleteUpload, _) => NO_STORE,
        // A HEAD is its head.
        (ReadBack | WhoseIsIt | LookBeforeCompleting, Fault::Longer(_)) => Waits(&[Code::ArchiveMismatch]),
        // It is no store that answers so.
        (
            ReadBack | WhoseIsIt | LookBeforeCompleting,
            Fault::WrongBody { .. } | Fault::Text { .. } | Fault::Endless(_),
        ) => OUT,
        (WhatIsInIt | ReadBeforeRelease, _) if is_seen_cut(fault) => BROKEN,
        (WhatIsInIt | ReadBeforeRelease, Fault::Stall(_)) => Waits(&[Code::ArchiveStalled]),
        (WhatIsInIt | ReadBeforeRelease, Fault::Truncate { .. } | Fault::Endless(_)) => NO_STORE,
        (ReadBeforeRelease, _) => Waits(&[Code::ArchiveMismatch]),
        // Bytes of ours that nobody has verified yet are written once more.
        _ => Harmless,
    }
}

fn archive_refusal(endpoint: Endpoint, fault: &Fault, status: u16) -> Outcome {
    let is_head = matches!(endpoint, Endpoint::ReadBack | Endpoint::WhoseIsIt | Endpoint::LookBeforeCompleting);
    // The store's word for "too often" stands in a body.
    let says_slow_down = !is_head && !matches!(fault, Fault::Endless(_));
    match status {
        401 | 403 => Waits(&[Code::ArchiveUnauthorized]),
        404 => match endpoint {
            Endpoint::WhoseIsIt => Waits(&[Code::ArchiveConflict]),
            // The next attempt is told that the key is taken, and then that there is nothing.
            Endpoint::ReadBack => Waits(&[Code::ArchiveObjectGone, Code::ArchiveConflict]),
            Endpoint::LookBeforeCompleting | Endpoint::WhatIsInIt | Endpoint::ReadBeforeRelease => {
                Waits(&[Code::ArchiveObjectGone])
            }
            _ => Waits(&[Code::ArchiveRejected]),
        },
        409 | 412 => Waits(&[Code::ArchiveConflict]),
        429 => Waits(&[Code::ArchiveThrottled]),
        503 if says_slow_down => Waits(&[Code::ArchiveThrottled]),
        507 => Waits(&[Code::ArchiveFull]),
        408 | 425 | 500.. => Waits(&[Code::ArchiveUnavailable]),
        _ => Waits(&[Code::ArchiveRejected]),
    }
}

fn of_the_records(endpoint: Endpoint, fault: &Fault) -> Outcome {
    let writes = endpoint == Endpoint::WriteLine;
    if let Some(status) = refusal(fault) {
        return match status {
            401 => Waits(&[Code::RecordsUnauthorized]),
            403 => Waits(&[Code::RecordsForbidden]),
            429 => Waits(&[Code::RecordsThrottled]),
            408 | 425 | 500.. => Waits(&[Code::RecordsUnavailable]),
            400.. if writes => Parks(Code::RecordsRejected),
            _ => Waits(&[Code::RecordsMisconfigured]),
        };
    }
    match fault {
        _ if has_no_head(fault) || is_seen_cut(fault) => Waits(&[Code::RecordsUnreachable]),
        Fault::Hang | Fault::Stall(_) => Waits(&[Code::RecordsStalled]),
        _ if is_slow(fault) => Harmless,
        Fault::Endless(_) => Waits(&[Code::RecordsUnreadable]),
        // It was not carried out, and the reading back shows it.
        Fault::WrongBody { disguised: false, .. } | Fault::Text { .. } if writes => Waits(&[Code::HistoryLineMissing]),
        // Who has written reads back anyway, whatever the answer holds.
        _ if writes => Harmless,
        _ if faults::is_about_something_else(fault) && endpoint == Endpoint::ReadLineBack => {
            // The next attempt's first list is as wrong.
            Waits(&[Code::HistoryLineMissing, Code::JobNotFound])
        }
        _ if faults::is_about_something_else(fault) => Waits(&[Code::JobNotFound]),
        _ => Waits(&[Code::RecordsUnreadable]),
    }
}
