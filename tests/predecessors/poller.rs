//! The bucket poller: its voice webhook and its processing by hand. Its polling follows with the provider's bucket.

use std::process::Command;

use callspool_domain::recording::Status;
use callspool_sandbox::twilio::{NewRecording, SendCallback, Signed};

use super::CALL;
use crate::harness::{ACCOUNT, World, story};

story! {
    async fn the_voice_webhook_answers_at_its_url(world: World) {
        let pairs = [("AccountSid", ACCOUNT), ("CallSid", CALL), ("CallStatus", "ringing"), ("To", "+14155550199")];
        let params = pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
        let url = world.url("/api/twilio-webhook?type=voice");
        let callback = SendCallback { url, params, signed: Signed::By(world.account()) };
        let (status, twiml) = world.twilio.send_callback(&callback).await.outcome.expect("an answer");
        assert_eq!(status, 200);
        assert!(twiml.contains("<Start><Recording "), "{twiml}");
        world.end().await;
    }
}

// `node scripts/poll-s3-recordings.js process RE…`, which looked for state by an id under which none was stored.
story! {
    async fn manual_processing_brings_one_recording_in_by_its_sid(world: World) {
        let mut world = world;
        let call = world.twilio.new_call_sid();
        let recording = NewRecording::new(world.account(), World::speech()).of_call(call);
        let recording = world.twilio.add_recording(recording);
        world.stop().await;
        let names = ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_URL", "DATABASE_URL", "ARCHIVE_URL"];
        let sid = recording.to_string();
        let settings: Vec<_> = names.iter().map(|name| (*name, world.setting(name).expect(name))).collect();
        let ran = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_callspool"));
            command.args(["process", &sid]).env_clear().envs(settings).env("CALLSPOOL_LOG_LEVEL", "error").output()
        });
        let output = ran.await.expect("it ends").expect("the program starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("archived"), "{output:?}");
        world.boot().await;
        assert_eq!(world.recording(&recording).await.status, Status::Archived);
        world.end().await;
    }
}
