//! The columns of the matrix: every request that the program sends, by whom it asks, for what, and within which step.

use callspool_domain::StepName;
use callspool_sandbox::server::Route as _;
use callspool_sandbox::{Brand, airtable, s3, twilio};

/// Who is asked, and what kind of request it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Twilio.
    Provider(twilio::Route),
    /// A store of this brand; all of them have the same kinds of request.
    Archive(Brand, s3::Route),
    /// Airtable.
    Records(airtable::Route),
}

/// One request of the program's. Where one kind of request has several uses, each is an endpoint of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The audio of a recording.
    Media,
    /// What the provider knows of a recording whose audio is not there.
    WhyThereIsNoMedia,
    /// What the provider knows of a recording, where nobody said when it began.
    WhenItBegan,
    /// Of which call a call is a leg.
    ParentCall,
    /// The release.
    Deletion,
    /// Writing an object in one request.
    Put,
    /// Its checksum.
    ReadBack,
    /// Whose object is at a key that is taken.
    WhoseIsIt,
    /// What that object holds.
    WhatIsInIt,
    /// Looking at the key before an upload begins, whose completion is under the condition that the key stays so.
    LookBeforeBeginning,
    /// Beginning an upload in parts.
    BeginUpload,
    /// A part.
    UploadPart,
    /// Looking at the key before the parts become an object.
    LookBeforeCompleting,
    /// Making an object of the parts.
    CompleteUpload,
    /// Giving up the parts of bad audio.
    AbortUpload,
    /// The archive's copy in full, before the provider's goes.
    ReadBeforeRelease,
    /// The record that names a call.
    FindJob,
    /// The record of a job.
    FindRecord,
    /// A line.
    WriteLine,
    /// The line, read back.
    ReadLineBack,
}

impl Endpoint {
    /// What is asked of whom, where the archive is of this brand.
    pub(super) fn asked(self, brand: Brand) -> Asked {
        use Asked::{Provider, Records};
        let archive = |route| Asked::Archive(brand, route);
        match self {
            Self::Media => Provider(twilio::Route::Media),
            Self::WhyThereIsNoMedia | Self::WhenItBegan => Provider(twilio::Route::Recording),
            Self::ParentCall => Provider(twilio::Route::Call),
            Self::Deletion => Provider(twilio::Route::Delete),
            Self::Put => archive(s3::Route::PutObject),
            // Azure keeps no checksum that could be asked for.
            Self::ReadBack if brand == Brand::Azure => archive(s3::Route::Get),
            Self::ReadBack | Self::WhoseIsIt | Self::LookBeforeBeginning | Self::LookBeforeCompleting => {
                archive(s3::Route::Head)
            }
            Self::WhatIsInIt | Self::ReadBeforeRelease => archive(s3::Route::Get),
            Self::BeginUpload => archive(s3::Route::CreateMultipart),
            Self::UploadPart => archive(s3::Route::UploadPart),
            Self::CompleteUpload => archive(s3::Route::CompleteMultipart),
            Self::AbortUpload => archive(s3::Route::AbortMultipart),
            Self::FindJob | Self::FindRecord | Self::ReadLineBack => Records(airtable::Route::List),
            Self::WriteLine => Records(airtable::Route::PatchMany),
        }
    }

    /// How many requests of its kind come before it in the same attempt.
    pub(super) fn comes_after(self, brand: Brand) -> u32 {
        match self {
            // The first list finds the record.
            Self::ReadLineBack => 1,
            // Google's upload begins with a look.
            Self::LookBeforeCompleting if brand == Brand::Gcs => 1,
            _ => 0,
        }
    }

    /// The step that sends it.
    pub(super) fn step(self) -> StepName {
        match self {
            Self::ParentCall | Self::FindJob => StepName::FindJob,
            Self::FindRecord | Self::WriteLine | Self::ReadLineBack => StepName::Link,
            Self::Deletion | Self::ReadBeforeRelease => StepName::Release,
            _ => StepName::Archive,
        }
    }

    /// Whether the recording has to be longer than a part.
    pub(super) fn is_in_parts(self) -> bool {
        matches!(
            self,
            Self::LookBeforeBeginning
                | Self::BeginUpload
                | Self::UploadPart
                | Self::LookBeforeCompleting
                | Self::CompleteUpload
                | Self::AbortUpload
        )
    }
}

const LIST: &str = "objects are known by their keys, and the right to list is not needed";
const DELETE: &str = "nothing of the archive is ever deleted";
const BUCKET: &str = "the bucket is the customer's to look after";

/// What a stand-in can be asked for and the calls of the matrix never are, with the reason. A matrix that sees one asked
/// all the same fails.
pub(super) const NEVER_ASKED: &[(Asked, &str)] = &[
    (Asked::Provider(twilio::Route::Account), "asked by the doctor alone, who has no step to wait"),
    (Asked::Provider(twilio::Route::Numbers), "asked by the doctor alone"),
    (Asked::Provider(twilio::Route::Applications), "asked by the doctor alone"),
    (Asked::Provider(twilio::Route::Calls), "calls are known by their sids"),
    (Asked::Archive(Brand::S3, s3::Route::List), LIST),
    (Asked::Archive(Brand::Gcs, s3::Route::List), LIST),
    (Asked::Archive(Brand::Azure, s3::Route::List), LIST),
    (Asked::Archive(Brand::S3, s3::Route::Delete), DELETE),
    (Asked::Archive(Brand::Gcs, s3::Route::Delete), DELETE),
    (Asked::Archive(Brand::Azure, s3::Route::Delete), DELETE),
    (Asked::Archive(Brand::S3, s3::Route::Bucket), BUCKET),
    (Asked::Archive(Brand::Gcs, s3::Route::Bucket), BUCKET),
    (Asked::Archive(Brand::Azure, s3::Route::Bucket), BUCKET),
    (Asked::Archive(Brand::Azure, s3::Route::CreateMultipart), "blocks are sent to a key, and nothing begins"),
    (Asked::Archive(Brand::Azure, s3::Route::AbortMultipart), "Azure drops the blocks that no list names by itself"),
    (Asked::Records(airtable::Route::Schema), "asked by the doctor alone"),
    (Asked::Records(airtable::Route::Get), "records are read by lists, up to ten at once"),
    (Asked::Records(airtable::Route::Patch), "records are written up to ten at once"),
    (Asked::Records(airtable::Route::Create), "rows are the customer's to make"),
    (Asked::Records(airtable::Route::Delete), "rows are the customer's to remove"),
];

/// Everything there is to ask for.
fn everything() -> impl Iterator<Item = Asked> {
    let provider = twilio::Route::ALL.iter().copied().map(Asked::Provider);
    let archive = Brand::ALL.iter().flat_map(|brand| s3::Route::ALL.iter().map(|route| Asked::Archive(*brand, *route)));
    let records = airtable::Route::ALL.iter().copied().map(Asked::Records);
    provider.chain(archive).chain(records)
}

#[test]
fn no_request_that_the_sandbox_knows_is_left_out() {
    for asked in everything() {
        let played = super::COLUMNS.iter().any(|(endpoint, brand)| endpoint.asked(*brand) == asked);
        let played = played || super::starts::ASKED.iter().any(|route| asked == Asked::Provider(*route));
        let excused = NEVER_ASKED.iter().any(|(never, _)| *never == asked);
        assert!(played != excused, "{asked:?} is an endpoint of the matrix or never asked, and not both");
    }
}
