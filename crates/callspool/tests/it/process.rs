//! `callspool process`: the repair for whatever no callback told, or told wrongly.

use callspool_domain::recording::Status;
use callspool_domain::{AccountSid, RecordingSid};
use callspool_sandbox::twilio::{NewRecording, SendCallback, Signed, Word};

use crate::accounts::{SECOND, second_account};
use crate::harness::{World, story};

/// A recording that the provider has, of which it has told no more than these words.
pub(crate) async fn recorded_and_told(world: &World, words: &[Word]) -> RecordingSid {
    let call = world.twilio.new_call_sid();
    let recording = NewRecording::new(world.account(), World::speech()).of_call(call);
    let recording = world.twilio.add_recording(recording);
    for word in words {
        let url = world.url("/api/twilio/recording?job=J");
        let params = world.twilio.callback_params(&recording, word).expect("known");
        let callback = SendCallback { url, params, signed: Signed::By(world.account()) };
        assert!(world.twilio.send_callback(&callback).await.is_accepted());
    }
    world.settle().await;
    recording
}

story! {
    async fn what_lost_callbacks_did_not_tell_the_provider_is_asked(world: World) {
        let mut world = world;
        let unheard_of = recorded_and_told(&world, &[]).await;
        let half_told = recorded_and_told(&world, &[Word::InProgress]).await;
        let wrongly_told = recorded_and_told(&world, &[Word::InProgress, Word::Absent(16101)]).await;
        assert_eq!(world.recording(&half_told).await.status, Status::Announced);
        assert_eq!(world.recording(&wrongly_told).await.status, Status::Absent);
        world.stop().await;
        let recordings = [&unheard_of, &half_told, &wrongly_told];
        let nobodys = format!("RE{}", "9".repeat(32));
        let said = world.run(&["process", unheard_of.as_str(), half_told.as_str(), wrongly_told.as_str()]).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(said.out.matches(": archived").count(), recordings.len(), "{said:?}");
        let said = world.run(&["process", &nobodys]).await;
        assert!(said.code == Some(1) && said.out.contains("no configured account knows it"), "{said:?}");
        world.boot().await;
        for recording in recordings {
            assert_eq!(world.recording(recording).await.status, Status::Archived);
        }
        world.end().await;
    }
}

story! {
    async fn an_account_that_refuses_keeps_no_other_from_being_asked(world: World) {
        let mut world = world;
        let region = second_account(&mut world).await;
        world.stop().await;
        world.set("TWILIO_AUTH_TOKEN", "not its token");
        let account = AccountSid::parse(SECOND).expect("account");
        let recording = NewRecording::new(account, World::speech()).of_call(region.new_call_sid());
        let recording = region.add_recording(recording);
        let nobodys = format!("RE{}", "9".repeat(32));
        let file = world.folder.path().join("story.toml");
        std::fs::write(&file, &world.file).expect("written");
        let file = file.to_str().expect("text");
        let said = world.run(&["--config", file, "process", &nobodys, recording.as_str()]).await;
        assert!(said.code == Some(3) && said.out.contains("provider_unauthorized"), "{said:?}");
        assert!(said.out.contains(&format!("{recording}: archived")), "{said:?}");
        world.boot().await;
        assert_eq!(world.recording(&recording).await.status, Status::Archived);
        world.twilio.take_unexpected_requests();
        world.end().await;
    }
}
