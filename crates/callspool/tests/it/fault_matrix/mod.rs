//! The fault matrix: every request of the program × every fault of the sandbox × both databases.
//!
//! In each cell a fault lasts for two attempts, or one where an attempt takes megabytes or seconds, and the world heals. Meanwhile the step says what is wrong by the expected
//! code and nothing happens too early; afterwards there is one object, one line, one release, as if nothing had been.
//! Rows and columns are held against what the sandbox has, so a new fault or a new request can't be forgotten.

mod endpoints;
mod expected;
mod faults;
mod listeners;
mod scans;
mod scene;
mod starts;

use callspool_sandbox::Brand;

use self::endpoints::Endpoint;
use self::scene::{Patience, Scene};
use crate::harness::Kind;

/// Plays every fault on this request, one after the other in one world; those that show by time alone in a world that is
/// less patient.
async fn every_fault_of(endpoint: Endpoint, brand: Brand, kind: Kind) {
    for patience in [Patience::Usual, Patience::Short] {
        let Some(mut scene) = Scene::set(endpoint, brand, kind, patience).await else { return };
        for fault in scene.faults() {
            scene.play(fault).await;
        }
        scene.end().await;
    }
}

macro_rules! matrix {
    ($($brand:ident { $($name:ident: $endpoint:ident;)* })*) => {
        /// All columns.
        const COLUMNS: &[(Endpoint, Brand)] = &[$($((Endpoint::$endpoint, Brand::$brand)),*),*];

        $($(mod $name {
            use super::{Brand, Endpoint, Kind, every_fault_of};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                every_fault_of(Endpoint::$endpoint, Brand::$brand, Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                every_fault_of(Endpoint::$endpoint, Brand::$brand, Kind::Postgres).await;
            }
        })*)*
    };
}

matrix! {
    S3 {
        fetching_audio: Media;
        asking_why_there_is_no_audio: WhyThereIsNoMedia;
        asking_when_a_recording_began: WhenItBegan;
        asking_for_the_parent_of_a_call: ParentCall;
        deleting_the_providers_copy: Deletion;
        writing_an_object: Put;
        reading_its_checksum_back: ReadBack;
        looking_whose_object_is_at_the_key: WhoseIsIt;
        comparing_the_object_at_the_key: WhatIsInIt;
        beginning_an_upload: BeginUpload;
        sending_a_part: UploadPart;
        looking_at_the_key_before_completing: LookBeforeCompleting;
        completing_an_upload: CompleteUpload;
        giving_an_upload_up: AbortUpload;
        reading_the_copy_before_the_release: ReadBeforeRelease;
        looking_for_the_job_of_a_call: FindJob;
        looking_for_the_record_of_a_job: FindRecord;
        writing_a_line: WriteLine;
        reading_a_line_back: ReadLineBack;
    }
    Gcs {
        writing_an_object_at_google: Put;
        reading_its_checksum_back_at_google: ReadBack;
        looking_whose_object_is_at_the_key_at_google: WhoseIsIt;
        comparing_the_object_at_the_key_at_google: WhatIsInIt;
        looking_at_the_key_before_an_upload_at_google: LookBeforeBeginning;
        beginning_an_upload_at_google: BeginUpload;
        sending_a_part_at_google: UploadPart;
        looking_at_the_key_before_completing_at_google: LookBeforeCompleting;
        completing_an_upload_at_google: CompleteUpload;
        giving_an_upload_up_at_google: AbortUpload;
        reading_the_copy_before_the_release_at_google: ReadBeforeRelease;
    }
    Azure {
        writing_an_object_at_azure: Put;
        reading_the_object_back_at_azure: ReadBack;
        looking_whose_object_is_at_the_key_at_azure: WhoseIsIt;
        comparing_the_object_at_the_key_at_azure: WhatIsInIt;
        sending_a_block_at_azure: UploadPart;
        looking_at_the_key_before_completing_at_azure: LookBeforeCompleting;
        completing_an_upload_at_azure: CompleteUpload;
        reading_the_copy_before_the_release_at_azure: ReadBeforeRelease;
    }
}
