//! Recordings that name no call: of a conference, and of a SIP trunk, which nobody announces.

use std::time::Duration;

use callspool_domain::id::ConferenceSid;
use callspool_domain::recording::Status;
use callspool_domain::{CallSid, RecordingSid};
use callspool_sandbox::twilio::{NewRecording, Route, Word};
use callspool_store::Role;
use http::StatusCode;
use serde_json::json;

use crate::harness::{World, story};

const CONFERENCE: &str = "CF0123456789abcdef0123456789abcdef";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the provider says of a recording is taken in, as `callspool process` and reconciliation do.
async fn learn(world: &World, sid: &RecordingSid) {
    let account = world.app().account(&world.account()).expect("configured");
    let resource = account.client.recording(sid).await.expect("an answer").expect("known");
    world.app().store.announce(resource.announcement, world.clock.now()).await.expect("stored");
    world.settle().await;
}

/// Ties the placeholder by PUT, and follows the recording to its line, a listener, and its release.
async fn ends_well(world: &World, placeholder: &str, sid: &RecordingSid) {
    let row = world.recording(sid).await;
    assert_eq!((row.status, row.call.as_str()), (Status::Archived, placeholder));
    let archive = row.archive.expect("archived");
    assert!(archive.object_key.ends_with(&format!("/{sid}.wav")), "{}", archive.object_key);
    let (status, answer) = world.put(&format!("/api/v1/calls/{placeholder}"), json!({"job_id": "J"})).await;
    assert_eq!(status, 200, "{answer}");
    world.settle().await;
    assert_eq!(world.history("J").await.matches(sid.as_str()).count(), 1);

    let token = world.token(Role::Listener).await;
    for path in [format!("/calls/{placeholder}/recording/{sid}"), format!("/calls/{placeholder}/recording/{sid}/play")]
    {
        let answer = world.http.get(world.url(&path)).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(Some(answer.bytes().await.expect("audio").len() as u64), archive.bytes, "{path}");
    }
    world.advance(DAY).await;
    assert_eq!(world.twilio.deleted(), [sid.clone()]);
    assert_eq!(world.history("J").await.matches(sid.as_str()).count(), 1);
}

fn of_conference(world: &World, source: &str, call: Option<CallSid>) -> RecordingSid {
    let spec = NewRecording {
        call,
        conference: Some(ConferenceSid::parse(CONFERENCE).expect("a sid")),
        source: source.to_owned(),
        ..NewRecording::new(world.account(), World::speech().mono())
    };
    world.twilio.add_recording(spec)
}

story! {
    with ["TWILIO_DELETE_AFTER" = "24h"]
    async fn a_conference_is_tied_by_its_own_name_linked_heard_and_released(world: World) {
        let sid = of_conference(&world, "Conference", None);
        let url = world.url("/api/twilio/recording");
        for word in [Word::InProgress, Word::Completed] {
            let answer = world.twilio.announce_status(&sid, &url, word).await.expect("known");
            assert!(answer.is_accepted());
        }
        world.settle().await;
        ends_well(&world, CONFERENCE, &sid).await;
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "24h"]
    async fn a_conference_stays_one_although_a_participants_call_is_named(world: World) {
        let participant = world.twilio.new_call_sid();
        let sid = of_conference(&world, "StartConferenceRecordingAPI", Some(participant.clone()));
        // As `<Conference>` announces it: without the call.
        let params = world.twilio.callback_params(&sid, &Word::Completed).expect("known");
        let params = params.into_iter().filter(|(name, _)| name != "CallSid").collect();
        let callback = callspool_sandbox::twilio::SendCallback {
            url: world.url("/api/twilio/recording"),
            params,
            signed: callspool_sandbox::twilio::Signed::By(world.account()),
        };
        assert!(world.twilio.send_callback(&callback).await.is_accepted());
        world.settle().await;
        learn(&world, &sid).await;
        let known = world.app().store.call(&participant).await.expect("the store answers");
        assert_eq!(known, None, "what it says would be filed with one of several");
        ends_well(&world, CONFERENCE, &sid).await;
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "24h"]
    async fn a_trunks_recording_that_nobody_announces_is_brought_in_by_its_id(world: World) {
        let spec = NewRecording { source: "Trunking".to_owned(), ..NewRecording::new(world.account(), World::speech()) };
        let sid = world.twilio.add_recording(spec);
        learn(&world, &sid).await;
        assert_eq!(world.recording(&sid).await.provider_source.as_deref(), Some("Trunking"));
        ends_well(&world, sid.as_str(), &sid).await;
        learn(&world, &sid).await;
        assert_eq!(world.twilio.count(Route::Delete), 1);
        world.end().await;
    }
}
