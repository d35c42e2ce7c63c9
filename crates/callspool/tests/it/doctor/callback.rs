//! Our own address: reached, and its signatures hold, or not.

use super::doctor;
use super::numbers::Neighbour;
use crate::harness::{TOKEN, World, story};

story! {
    with ["TWILIO_WEBHOOK_KEYS" = "one=the shared secret"]
    async fn every_signer_is_tried_and_nothing_is_stored(world: World) {
        let told = doctor(&world, &[]).await;
        for signer in ["/api/twilio/recording with", "/api/twilio/voice with", "shared key one"] {
            assert!(told.text.contains(signer), "{signer} in {}", told.text);
        }
        assert!(!told.text.contains("the shared secret"), "{}", told.text);
        let other = [("TWILIO_WEBHOOK_KEYS", "one=another secret")];
        let told = doctor(&world, &other).await;
        assert_eq!((told.exit, told.severities("callback_refused")), (1, vec!["loses"]));
        assert_eq!(world.app().store.last_seq().await.expect("the store answers"), 0);
        world.end().await;
    }
}

story! {
    async fn another_token_or_address_than_the_service_has_is_refused(world: World) {
        let told = doctor(&world, &[("TWILIO_AUTH_TOKEN", "another token")]).await;
        assert_eq!((told.exit, told.severities("callback_refused")), (1, vec!["loses"; 3]));
        assert_eq!(told.only("provider_unauthorized")["severity"], "loses");
        assert_eq!(world.twilio.take_unexpected_requests().len(), 1);
        // The same server under another name: as behind a proxy that passes the wrong one.
        let address = world.url("").replace("127.0.0.1", "0.0.0.0");
        let told = doctor(&world, &[("APP_URL", &address)]).await;
        assert_eq!(told.severities("callback_refused"), ["loses"; 3]);
        assert_eq!(told.only("app_url_not_https")["severity"], "loses");
        let other = [("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000009"), ("TWILIO_AUTH_TOKEN", TOKEN)];
        let told = doctor(&world, &other).await;
        assert_eq!(told.severities("callback_refused"), ["loses"; 3]);
        world.twilio.take_unexpected_requests();
        world.end().await;
    }
}

story! {
    async fn whatever_else_answers_is_not_taken_for_callspool(world: World) {
        for (answer, said) in [
            ("HTTP/1.1 301 Moved Permanently\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "redirects"),
            ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "502"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "200"),
        ] {
            let server = Neighbour::answering(answer.to_owned());
            let told = doctor(&world, &[("APP_URL", &server.url)]).await;
            assert_eq!(told.severities("callback_wrong_answer"), ["loses"; 3]);
            assert!(told.text.contains(said), "{}", told.text);
        }
        world.end().await;
    }
}
