//! Accounts and credentials at the provider.

use callspool_domain::{AccountSid, Clock, Secret};
use callspool_sandbox::twilio::{Account, Route};
use callspool_sandbox::{Fault, Twilio, TwilioOptions};
use http::StatusCode;
use serde_json::Value;

use super::{doctor, put_in_order};
use crate::harness::{ACCOUNT, TOKEN, World, story};

fn told_of(finding: &Value) -> &str {
    finding["do"].as_str().expect("what to do")
}

story! {
    async fn a_provider_that_is_out_leaves_it_open(world: World) {
        let mut world = world;
        put_in_order(&mut world).await;
        world.twilio.faults().everywhere(&Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let told = doctor(&world, &[]).await;
        assert_eq!((told.exit, told.outcome.as_str()), (3, "unknown"));
        assert_eq!(told.only("provider_unavailable")["severity"], "unknown");
        world.twilio.faults().clear_all();
        world.twilio.go_down().await;
        assert_eq!(doctor(&world, &[]).await.only("provider_unreachable")["severity"], "unknown");
        world.twilio.come_back().await.expect("it comes back");
        world.end().await;
    }
}

story! {
    async fn a_suspended_account_and_a_wrong_clock_lose(world: World) {
        world.twilio.set_account_status(&world.account(), "suspended");
        world.twilio.show_date("Fri, 15 Mar 2024 14:30:22 GMT");
        let told = doctor(&world, &[]).await;
        assert_eq!(told.exit, 1);
        assert_eq!(told.only("account_not_active")["severity"], "loses");
        assert_eq!(told.only("clock_skew")["severity"], "loses");
        world.end().await;
    }
}

story! {
    async fn what_an_api_key_may_not_is_a_note(world: World) {
        let mut world = world;
        put_in_order(&mut world).await;
        let account = AccountSid::parse(ACCOUNT).expect("account");
        let key = Some(("SK00000000000000000000000000000001".to_owned(), Secret::new("key-secret")));
        let accounts = vec![Account { sid: account.clone(), auth_token: Secret::new(TOKEN), api_key: key }];
        let options = TwilioOptions { accounts, ..TwilioOptions::new(Clock::System, account, TOKEN) };
        let twilio = Twilio::start(options).await.expect("the stand-in starts");
        let other = [
            ("TWILIO_API_URL", twilio.base_url()),
            ("TWILIO_API_KEY_SID", "SK00000000000000000000000000000001"),
            ("TWILIO_API_KEY_SECRET", "key-secret"),
        ];
        let told = doctor(&world, &other).await;
        assert_eq!((told.exit, told.outcome.as_str()), (0, "ok"));
        assert_eq!(told.only("account_unread")["severity"], "note");
        assert_eq!(told.only("delete_right_untried")["severity"], "note");
        assert!(!told.text.contains("key-secret"));
        // What our TwiML starts is stopped by a request.
        let untried = told.only("start_right_untried");
        assert!(told_of(untried).contains("update") && !told_of(untried).contains("create"), "{untried}");
        let never = [other.as_slice(), &[("RECORDING_MAX", "never")]].concat();
        assert!(!doctor(&world, &never).await.codes().contains(&"start_right_untried"));
        world.file.push_str("[voice.recording]\nstart = \"rest\"\n");
        let told = doctor(&world, &other).await;
        let untried = told.only("start_right_untried");
        assert_eq!(untried["severity"], "note");
        assert!(told_of(untried).contains("create and update"), "{untried}");
        let told = doctor(&world, &never).await;
        assert!(!told_of(told.only("start_right_untried")).contains("update"), "{}", told.text);
        for route in [Route::Calls, Route::Numbers] {
            twilio.faults().always(route, Fault::status(StatusCode::FORBIDDEN));
        }
        let told = doctor(&world, &other).await;
        assert_eq!(told.exit, 0);
        assert_eq!(told.only("calls_unreadable")["severity"], "note");
        assert_eq!(told.only("numbers_unreadable")["severity"], "note");
        twilio.faults().always(Route::Recordings, Fault::status(StatusCode::FORBIDDEN));
        let told = doctor(&world, &other).await;
        assert_eq!((told.exit, &told.only("provider_forbidden")["severity"]), (1, &"loses".into()));
        assert_eq!(twilio.unexpected_requests(), Vec::<String>::new());
        world.end().await;
    }
}
