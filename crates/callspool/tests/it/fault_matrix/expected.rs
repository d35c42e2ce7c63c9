//! What comes of each fault at each request, as an operator sees it: the step's code while the fault lasts.

mod archive;

use callspool_domain::Code;
use callspool_sandbox::{BodyKind, Brand, Fault};
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
pub(super) fn expected(endpoint: Endpoint, brand: Brand, fault: &Fault) -> Outcome {
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
        _ => match endpoint.asked(brand) {
            Asked::Provider(_) => of_the_provider(endpoint, fault),
            Asked::Archive(..) => archive::expected(endpoint, brand, fault),
            Asked::Records(_) => of_the_records(endpoint, fault),
        },
    }
}

/// The status that an answer is refused with.
pub(super) fn refusal(fault: &Fault) -> Option<u16> {
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

pub(super) fn is_slow(fault: &Fault) -> bool {
    matches!(fault, Fault::Delay(_) | Fault::Drip { .. })
}

pub(super) fn of_the_provider(endpoint: Endpoint, fault: &Fault) -> Outcome {
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
