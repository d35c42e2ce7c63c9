//! `RECORDING_FORMAT` and `RECORDING_CHANNELS`: what comes where it can be had, what comes instead where it can't, and that
//! this is told and is nothing doubtful.

use callspool_domain::RecordingSid;
use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Status;
use callspool_sandbox::twilio::{Audio, NewRecording, PlaceCall};
use serde_json::{Value, json};

use crate::harness::{World, story};

/// Archives a recording as the settings want it; `change` makes it what it is.
async fn archive(world: &World, audio: Audio, change: impl FnOnce(&mut NewRecording)) -> RecordingSid {
    let mut place = PlaceCall::new(world.account(), world.url("/api/twilio/recording?job=J"), audio);
    change(&mut place.recording);
    let placed = world.twilio.place_call(place).await;
    world.settle().await;
    placed.recording_sid
}

/// It is archived in this form, nothing about it is doubtful, and the event says what came instead of what was asked for.
async fn assert_came(world: &World, sid: &RecordingSid, format: AudioFormat, channels: usize, instead: Value) {
    let row = world.recording(sid).await;
    assert_eq!(row.status, Status::Archived);
    let copy = row.archive.expect("a copy");
    let audio = copy.audio.expect("measured");
    assert_eq!((audio.format, audio.channels.len()), (format, channels));
    assert!(copy.object_key.ends_with(format.extension()), "{}", copy.object_key);
    assert_eq!(copy.findings, []);
    let events = world.app().store.recording_events(sid, 50).await.expect("the store answers");
    let verified = events.iter().find(|event| event.kind == "archive_verified").expect("an event");
    assert_eq!(verified.data["instead"], instead);
}

fn as_it_is(_: &mut NewRecording) {}

story! {
    with ["RECORDING_CHANNELS" = "dual"]
    async fn two_channels_come_where_there_are_two_and_else_the_one(world: World) {
        let dual = archive(&world, Audio::seconds(10), as_it_is).await;
        assert_came(&world, &dual, AudioFormat::Wav, 2, Value::Null).await;
        let mono = archive(&world, Audio::seconds(10).mono(), as_it_is).await;
        assert_came(&world, &mono, AudioFormat::Wav, 1, json!(["mono"])).await;
        // What the provider said of another form does not make this one doubtful.
        let said_dual = archive(&world, Audio::seconds(10).mono(), |recording| recording.said_channels = Some(2)).await;
        assert_came(&world, &said_dual, AudioFormat::Wav, 1, json!(["mono"])).await;
        assert_eq!(world.history("J").await.lines().count(), 3);
        world.end().await;
    }
}

story! {
    with ["RECORDING_CHANNELS" = "mono"]
    async fn two_channels_are_mixed_to_one_on_request(world: World) {
        let dual = archive(&world, Audio::seconds(10), as_it_is).await;
        assert_came(&world, &dual, AudioFormat::Wav, 1, Value::Null).await;
        let mono = archive(&world, Audio::seconds(10).mono(), as_it_is).await;
        assert_came(&world, &mono, AudioFormat::Wav, 1, Value::Null).await;
        world.end().await;
    }
}

story! {
    with ["RECORDING_FORMAT" = "mp3", "RECORDING_CHANNELS" = "dual"]
    async fn mp3_comes_where_there_is_one_and_else_wav(world: World) {
        let mp3 = archive(&world, Audio::seconds(10), as_it_is).await;
        assert_came(&world, &mp3, AudioFormat::Mp3, 2, Value::Null).await;
        let mono = archive(&world, Audio::seconds(10).mono(), as_it_is).await;
        assert_came(&world, &mono, AudioFormat::Mp3, 1, json!(["mono"])).await;
        let none = archive(&world, Audio::seconds(10), |recording| recording.has_no_mp3 = true).await;
        assert_came(&world, &none, AudioFormat::Wav, 2, json!(["wav"])).await;
        let neither = archive(&world, Audio::seconds(10).mono(), |recording| recording.has_no_mp3 = true).await;
        assert_came(&world, &neither, AudioFormat::Wav, 1, json!(["wav", "mono"])).await;
        world.end().await;
    }
}

story! {
    async fn as_recorded_is_the_default(world: World) {
        let dual = archive(&world, Audio::seconds(10), as_it_is).await;
        assert_came(&world, &dual, AudioFormat::Wav, 2, Value::Null).await;
        let mono = archive(&world, Audio::seconds(10).mono(), as_it_is).await;
        assert_came(&world, &mono, AudioFormat::Wav, 1, Value::Null).await;
        world.end().await;
    }
}
