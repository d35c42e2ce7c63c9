//! Recordings that callspool starts: by a request where the call's TwiML is somebody else's, once whatever is lost; and
//! stopped when they have run for too long.

use std::time::Duration;

use callspool_domain::recording::Status;
use callspool_domain::{CallSid, Code, RecordingSid, StepName, StepState, Subject};
use callspool_sandbox::Fault;
use callspool_sandbox::twilio::{Call, NewRecording, Route, SendCallback, Signed, Word};
use callspool_store::EventFilter;
use http::StatusCode;

use crate::harness::{ACCOUNT, World, story};

const NUMBER: &str = "+14155550199";
const HOUR: Duration = Duration::from_secs(3600);
const REST: &str = "[[voice]]\nnumber = \"+14155550199\"\n[voice.recording]\nstart = \"rest\"";

async fn boot_with(world: &mut World, file: &str) {
    world.stop().await;
    world.file = file.to_owned();
    world.boot().await;
}

/// A call in this state, at the provider.
fn place(world: &World, status: &str) -> CallSid {
    let sid = world.twilio.new_call_sid();
    world.twilio.add_call(Call {
        sid: sid.clone(),
        account: world.account(),
        parent: None,
        from: "+14155550100".to_owned(),
        to: NUMBER.to_owned(),
        status: status.to_owned(),
        started: world.clock.now(),
        seconds: 0,
    });
    sid
}

/// The provider tells of a call.
async fn tell(world: &World, path: &str, call: &CallSid, special: &[(&str, &str)]) -> String {
    let usual = [("AccountSid", ACCOUNT), ("CallSid", call.as_str()), ("Direction", "inbound"), ("To", NUMBER)];
    let kept = usual.iter().filter(|(name, _)| special.iter().all(|(other, _)| other != name)).chain(special);
    let params = kept.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let callback = SendCallback { url: world.url(path), params, signed: Signed::By(world.account()) };
    let (status, body) = world.twilio.send_callback(&callback).await.outcome.expect("an answer");
    assert_eq!(status, 200, "{body}");
    body
}

async fn told(world: &World, call: &CallSid, status: &str) {
    tell(world, "/api/twilio/status?job=J&source=Desk", call, &[("CallStatus", status)]).await;
    world.settle().await;
}

/// How many events of a kind there are.
async fn events(world: &World, kind: &str) -> usize {
    let filter = EventFilter { recording: None, kind: Some(kind.to_owned()) };
    world.app().store.events_after(0, 100, filter).await.expect("the store answers").len()
}

/// The one recording that the provider has.
fn only_one(world: &World) -> RecordingSid {
    let made: Vec<RecordingSid> = world.twilio.recordings().into_iter().map(|one| one.sid).collect();
    let [sid] = made.as_slice() else { panic!("one recording, not {made:?}") };
    sid.clone()
}

/// The waiting callbacks go out, and every one is taken.
async fn deliver(world: &World) {
    let answers = world.twilio.deliver().await;
    assert!(answers.iter().all(|answer| answer.is_accepted()), "{answers:?}");
    world.settle().await;
}

/// The call ends and its recording comes through to its line.
async fn ends_well(world: &World, call: &CallSid) {
    world.clock.advance(Duration::from_secs(20));
    world.twilio.set_call_status(call, "completed");
    deliver(world).await;
    let sid = only_one(world);
    assert_eq!(world.recording(&sid).await.status, Status::Archived);
    assert_eq!(world.history("J").await.matches(sid.as_str()).count(), 1);
}

story! {
    async fn a_call_that_somebody_else_answers_is_recorded_by_a_request_and_stopped_in_time(world: World) {
        let mut world = world;
        boot_with(&mut world, REST).await;
        let call = place(&world, "in-progress");
        told(&world, &call, "ringing").await;
        assert_eq!(world.twilio.count(Route::Start), 0, "nobody has answered yet");
        told(&world, &call, "in-progress").await;
        told(&world, &call, "in-progress").await;
        let sid = only_one(&world);
        let made = world.twilio.recording(&sid).expect("known");
        assert_eq!((made.said_channels(), made.spec.track.as_str()), (2, "both"));
        assert_eq!(
            world.twilio.callback_of(&sid),
            Some(world.url("/api/twilio/recording?job=J&source=Desk&started=rest#rc=5&rp=all"))
        );
        let row = world.recording(&sid).await;
        assert_eq!((row.status, &row.call), (Status::Announced, &call), "known before its callback comes");
        deliver(&world).await;
        assert_eq!(events(&world, "recording_started").await, 1);
        let step = world.step(StepName::Record, Subject::Call(call.clone())).await;
        assert_eq!(step.state, StepState::Done);

        world.advance(HOUR - Duration::from_secs(1)).await;
        assert_eq!(world.twilio.count(Route::Update), 0);
        world.advance(Duration::from_secs(1)).await;
        assert_eq!(world.twilio.count(Route::Update), 1);
        assert_eq!(events(&world, "recording_stopped").await, 1);
        deliver(&world).await;
        assert_eq!(world.recording(&sid).await.status, Status::Archived);
        assert!(world.history("J").await.contains("Source: Desk"));
        world.twilio.set_call_status(&call, "completed");
        world.advance(HOUR * 2).await;
        assert_eq!((world.twilio.count(Route::Start), world.twilio.count(Route::Update)), (1, 1));
        world.end().await;
    }
}

story! {
    async fn one_that_was_stopped_is_archived_although_its_callback_is_lost(world: World) {
        let mut world = world;
        boot_with(&mut world, REST).await;
        let call = place(&world, "in-progress");
        told(&world, &call, "in-progress").await;
        let sid = only_one(&world);
        world.advance(HOUR).await;
        assert_eq!(world.twilio.count(Route::Update), 1);
        assert_eq!(world.recording(&sid).await.status, Status::Announced, "its callback is waited for");
        world.advance(Duration::from_secs(61)).await;
        let row = world.recording(&sid).await;
        assert_eq!((row.status, row.provider_status.as_str()), (Status::Archived, "stopped"));
        assert_eq!(world.history("J").await.matches(sid.as_str()).count(), 1);
        world.end().await;
    }
}

story! {
    async fn a_lost_answer_or_an_outage_leaves_one_recording(world: World) {
        let mut world = world;
        boot_with(&mut world, REST).await;
        for fault in [
            Fault::LostReply,
            Fault::Refuse,
            Fault::throttled(3),
            Fault::status(StatusCode::SERVICE_UNAVAILABLE),
            Fault::CutAfter(10),
        ] {
            let before = world.twilio.recordings().len();
            let call = place(&world, "in-progress");
            world.twilio.faults().next(Route::Start, fault.clone());
            told(&world, &call, "in-progress").await;
            world.advance(Duration::from_secs(90)).await;
            assert_eq!(world.twilio.recordings().len(), before + 1, "{fault:?}");
            let step = world.step(StepName::Record, Subject::Call(call.clone())).await;
            assert_eq!(step.state, StepState::Done, "{fault:?}");
            assert_eq!(events(&world, "recording_started").await, before + 1, "{fault:?}");
        }
        world.end().await;
    }
}

story! {
    async fn the_callback_of_a_lost_answer_settles_it_without_a_request(world: World) {
        let mut world = world;
        boot_with(&mut world, REST).await;
        let call = place(&world, "in-progress");
        world.twilio.faults().next(Route::Start, Fault::LostReply);
        told(&world, &call, "in-progress").await;
        deliver(&world).await;
        world.advance(Duration::from_secs(90)).await;
        assert_eq!((world.twilio.count(Route::Start), world.twilio.count(Route::Recordings)), (1, 1));
        assert_eq!(events(&world, "recording_started").await, 1);
        ends_well(&world, &call).await;
        world.end().await;
    }
}

story! {
    async fn the_recording_of_somebody_else_is_not_taken_for_ours(world: World) {
        let mut world = world;
        boot_with(&mut world, REST).await;
        let call = place(&world, "in-progress");
        let theirs = NewRecording { status: "in-progress".to_owned(), ..NewRecording::new(world.account(), World::speech()) };
        let theirs = world.twilio.add_recording(theirs.of_call(call.clone()));
        world.twilio.faults().next(Route::Start, Fault::Refuse);
        told(&world, &call, "in-progress").await;
        world.advance(Duration::from_secs(90)).await;
        assert_eq!(world.twilio.recordings().len(), 2);
        let stored = world.app().store.recording(&theirs).await.expect("the store answers");
        assert_eq!(stored, None, "nobody has announced it");
        world.end().await;
    }
}

story! {
    async fn a_call_that_rings_is_recorded_as_soon_as_it_is_answered(world: World) {
        let mut world = world;
        boot_with(&mut world, &format!("{REST}\n[[voice]]\nassistant = \"anna\"\nthen = \"say:Hi\"\n[voice.recording]\nstart = \"rest\"\nrecord_mixed_audio = false\nrecord_assistant_audio = false")).await;
        let call = place(&world, "ringing");
        let ringing = [("CallStatus", "ringing")];
        let document = tell(&world, "/api/twilio/voice?assistant=anna&job=J", &call, &ringing).await;
        assert!(document.ends_with("<Response><Say>Hi</Say></Response>"), "no recording in it: {document}");
        world.settle().await;
        let step = world.step(StepName::Record, Subject::Call(call.clone())).await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::CallNotInProgress)));
        world.twilio.set_call_status(&call, "in-progress");
        tell(&world, "/api/twilio/status?assistant=anna", &call, &[("CallStatus", "in-progress")]).await;
        world.settle().await;
        let made = world.twilio.recording(&only_one(&world)).expect("known");
        assert_eq!((made.said_channels(), made.spec.track.as_str()), (1, "inbound"), "the caller alone");
        ends_well(&world, &call).await;
        world.end().await;
    }
}

story! {
    async fn a_call_that_is_over_ends_the_wish_to_record_it(world: World) {
        let mut world = world;
        boot_with(&mut world, REST).await;
        // Told of its end alone; of an outage that lasts longer than the call; and answered by nobody.
        let short = place(&world, "completed");
        told(&world, &short, "completed").await;
        assert_eq!((world.twilio.count(Route::Start), events(&world, "recording_not_started").await), (0, 1));

        let unlucky = place(&world, "in-progress");
        world.twilio.faults().always(Route::Start, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        told(&world, &unlucky, "in-progress").await;
        world.twilio.set_call_status(&unlucky, "completed");
        told(&world, &unlucky, "completed").await;
        world.twilio.faults().clear_all();
        world.advance(Duration::from_secs(120)).await;
        assert_eq!(events(&world, "recording_not_started").await, 2);

        let unheard = place(&world, "in-progress");
        world.twilio.set_call_status(&unheard, "completed");
        told(&world, &unheard, "in-progress").await;
        assert_eq!(events(&world, "recording_not_started").await, 3, "21220, and the call is read");

        let missed = place(&world, "no-answer");
        told(&world, &missed, "no-answer").await;
        let steps = world.app().store.steps_of(&Subject::Call(missed)).await.expect("the store answers");
        assert!(steps.is_empty(), "there was nothing to record: {steps:?}");
        assert!(world.twilio.recordings().is_empty());
        for call in [short, unlucky, unheard] {
            assert_eq!(world.step(StepName::Record, Subject::Call(call)).await.state, StepState::Done);
        }
        world.end().await;
    }
}

story! {
    with ["RECORDING_MAX" = "10m"]
    async fn a_recording_of_our_twiml_is_stopped_and_one_of_somebody_else_is_not(world: World) {
        let call = place(&world, "in-progress");
        let mut made = Vec::new();
        for query in ["?job=J&started=twiml", "?job=J"] {
            let spec = NewRecording { status: "in-progress".to_owned(), ..NewRecording::new(world.account(), World::speech()) };
            let sid = world.twilio.add_recording(spec.of_call(call.clone()));
            let url = world.url(&format!("/api/twilio/recording{query}"));
            let answer = world.twilio.announce_status(&sid, &url, Word::InProgress).await.expect("known");
            assert!(answer.is_accepted());
            world.twilio.set_status(&sid, "in-progress");
            made.push((sid, url));
        }
        world.advance(Duration::from_secs(599)).await;
        assert_eq!(world.twilio.count(Route::Update), 0);
        // The answer is lost, and the next attempt finds it over.
        world.twilio.faults().next(Route::Update, Fault::LostReply);
        world.advance(Duration::from_secs(1)).await;
        world.advance(Duration::from_secs(90)).await;
        let states: Vec<String> = made.iter().map(|(sid, _)| world.twilio.recording(sid).expect("known").status).collect();
        assert_eq!(states, ["completed", "in-progress"]);
        // Its callback never comes; what the provider said when it was stopped is enough.
        world.settle().await;
        assert_eq!(world.recording(&made[0].0).await.status, Status::Archived);
        assert_eq!(events(&world, "recording_stopped").await, 1);
        world.end().await;
    }
}

story! {
    with ["RECORDING_MAX" = "10m"]
    async fn one_that_is_over_or_gone_when_it_is_to_be_stopped_is_stored_as_it_is(world: World) {
        let call = place(&world, "in-progress");
        let mut made = Vec::new();
        for _ in 0..2 {
            let sid = world.twilio.add_recording(NewRecording::new(world.account(), World::speech()).of_call(call.clone()));
            let url = world.url("/api/twilio/recording?started=twiml");
            world.twilio.announce_status(&sid, &url, Word::InProgress).await.expect("known");
            world.twilio.set_status(&sid, "completed");
            made.push(sid);
        }
        world.twilio.delete(&made[1]);
        world.advance(Duration::from_secs(600)).await;
        assert_eq!(world.recording(&made[0]).await.status, Status::Archived, "although it was never announced as completed");
        assert_eq!(world.recording(&made[1]).await.status, Status::Missing);
        world.end().await;
    }
}

story! {
    with ["RECORDING_MAX" = "never"]
    async fn without_a_limit_nothing_is_stopped(world: World) {
        let call = place(&world, "in-progress");
        let sid = world.twilio.add_recording(NewRecording::new(world.account(), World::speech()).of_call(call));
        let url = world.url("/api/twilio/recording?started=twiml");
        world.twilio.announce_status(&sid, &url, Word::InProgress).await.expect("known");
        world.advance(HOUR * 25).await;
        assert_eq!(world.twilio.count(Route::Update), 0);
        // A changed setting reaches what runs already.
        let mut world = world;
        world.set("RECORDING_MAX", "2h");
        world.restart().await;
        world.sweep().await;
        world.advance(Duration::from_secs(1)).await;
        assert_eq!(world.twilio.count(Route::Update), 1);
        world.end().await;
    }
}

story! {
    async fn each_number_has_the_format_it_asks_for(world: World) {
        let mut world = world;
        boot_with(&mut world, "[[voice]]\nnumber = \"+14155550199\"\nthen = \"say:Hi\"\n[voice.recording]\nformat = \"mp3\"").await;
        for (to, ending) in [(NUMBER, ".mp3"), ("+15550000", ".wav")] {
            let call = place(&world, "in-progress");
            tell(&world, "/api/twilio/voice", &call, &[("CallStatus", "ringing"), ("To", to)]).await;
            let sid = world.twilio.add_recording(NewRecording::new(world.account(), World::speech()).of_call(call));
            let url = world.url("/api/twilio/recording?started=twiml");
            world.twilio.announce_status(&sid, &url, Word::Completed).await.expect("known");
            world.settle().await;
            let archive = world.recording(&sid).await.archive.expect("archived");
            assert!(archive.object_key.ends_with(ending), "{}", archive.object_key);
            assert_eq!(archive.audio.map(|audio| audio.format.extension()), ending.strip_prefix('.'));
        }
        world.end().await;
    }
}
