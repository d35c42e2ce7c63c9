//! Several accounts: the AccountSid of a request chooses the credentials, and no account's token opens another's door.

use callspool_domain::recording::Status;
use callspool_domain::{AccountSid, Clock, RecordingSid, Secret};
use callspool_sandbox::twilio::{NewRecording, PlaceCall, Route, SendCallback, Signed, Word};
use callspool_sandbox::{Twilio, TwilioOptions};

use crate::harness::{TOKEN, World, story};

pub(crate) const SECOND: &str = "AC00000000000000000000000000000002";
const SECOND_TOKEN: &str = "the token of the second account";

/// A second account, in a region of its own, and callspool configured for both.
pub(crate) async fn second_account(world: &mut World) -> Twilio {
    let account = AccountSid::parse(SECOND).expect("account");
    let options =
        TwilioOptions { seed: 2, ..TwilioOptions::new(Clock::Manual(world.clock.clone()), account, SECOND_TOKEN) };
    let region = Twilio::start(options).await.expect("the stand-in starts");
    world.stop().await;
    world.file = format!(
        "[[account]]\nsid = \"{SECOND}\"\nauth_token = \"{SECOND_TOKEN}\"\napi_url = \"{}\"\n",
        region.base_url()
    );
    world.boot().await;
    region
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn each_account_is_asked_with_its_own_credentials_where_it_lives(world: World) {
        let mut world = world;
        let region = second_account(&mut world).await;
        let first = world.call("?job=J").await.recording_sid;
        let account = AccountSid::parse(SECOND).expect("account");
        let place = PlaceCall::new(account, world.url("/api/twilio/recording?job=J"), World::speech());
        let second = region.place_call(place).await;
        assert!(second.callbacks.iter().all(|callback| callback.is_accepted()), "{:?}", second.callbacks);
        world.settle().await;
        for sid in [&first, &second.recording_sid] {
            assert_eq!(world.recording(sid).await.status, Status::Archived);
        }
        assert_eq!(world.history("J").await.lines().count(), 2);
        world.advance(std::time::Duration::from_secs(3700)).await;
        assert_eq!((world.twilio.deleted(), region.deleted()), (vec![first], vec![second.recording_sid]));
        assert_eq!((world.twilio.count(Route::Media), region.count(Route::Media)), (1, 1));
        assert_eq!(region.unexpected_requests(), Vec::<String>::new());
        world.end().await;
    }
}

story! {
    async fn the_token_of_one_account_announces_nothing_for_another(world: World) {
        let mut world = world;
        let region = second_account(&mut world).await;
        let recording = RecordingSid::parse("RE0123456789abcdef0123456789abcdef").expect("a sid");
        let params = |account: &str| {
            [("AccountSid", account), ("RecordingSid", recording.as_str()), ("RecordingStatus", Word::Completed.as_str())]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec()
        };
        let first = world.account();
        for (account, token) in [(SECOND, TOKEN), (first.as_str(), SECOND_TOKEN)] {
            let signed = Signed::With(Secret::new(token));
            let callback = SendCallback { url: world.url("/api/twilio/recording"), params: params(account), signed };
            let answer = region.send_callback(&callback).await.outcome.expect("an answer");
            assert_eq!(answer.0, 403, "{answer:?}");
        }
        assert_eq!(world.app().store.last_seq().await.expect("the store answers"), 0);
        world.end().await;
    }
}

story! {
    async fn an_account_has_no_say_about_the_recordings_of_another(world: World) {
        let mut world = world;
        let region = second_account(&mut world).await;
        let call = world.twilio.new_call_sid();
        let recording = world.twilio.add_recording(NewRecording::new(world.account(), World::speech()).of_call(call));
        let url = world.url("/api/twilio/recording?job=J");
        assert!(world.twilio.announce_status(&recording, &url, Word::InProgress).await.expect("sent").is_accepted());
        let params = [("AccountSid", SECOND), ("RecordingSid", recording.as_str()), ("RecordingStatus", "absent")];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let signed = Signed::With(Secret::new(SECOND_TOKEN));
        let callback = SendCallback { url: world.url("/api/twilio/recording?job=THEIRS"), params, signed };
        let (status, body) = region.send_callback(&callback).await.outcome.expect("an answer");
        assert!(status == 403 && body.contains("another_account"), "{status} {body}");
        world.settle().await;
        let row = world.recording(&recording).await;
        assert_eq!((row.status, row.account), (Status::Announced, world.account()));
        assert!(world.twilio.announce_status(&recording, &url, Word::Completed).await.expect("sent").is_accepted());
        world.settle().await;
        assert_eq!(world.recording(&recording).await.status, Status::Archived);
        assert_eq!((world.history("J").await.lines().count(), world.history("THEIRS").await.lines().count()), (1, 0));
        world.end().await;
    }
}
