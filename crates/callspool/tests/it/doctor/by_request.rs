//! Calls that are recorded by a request (`start = "rest"`), which another program answers.

use callspool_sandbox::twilio::Number;

use super::numbers::Neighbour;
use super::{doctor, good_number};
use crate::harness::{World, story};

const RULE: &str = "[[voice]]\nnumber = \"+14155550199\"\n[voice.recording]\nstart = \"rest\"\n";

fn answered_elsewhere(world: &World, voice_url: &str, status_callback: String) -> Number {
    Number { voice_url: voice_url.to_owned(), status_callback, ..good_number(world) }
}

story! {
    async fn whether_callspool_hears_of_the_calls_is_told_in_place_of_who_answers(world: World) {
        let mut world = world;
        world.file = RULE.to_owned();
        let elsewhere = "https://assistant.example/voice";
        world.twilio.add_number(answered_elsewhere(&world, elsewhere, String::new()));
        let told = doctor(&world, &[]).await;
        assert_eq!((told.exit, &told.only("rest_not_told")["severity"]), (0, &"advice".into()), "{}", told.text);
        assert!(!told.codes().contains(&"number_elsewhere") && !told.codes().contains(&"start_right_untried"));
        world.twilio.add_number(answered_elsewhere(&world, elsewhere, world.url("/api/twilio/status")));
        assert_eq!(doctor(&world, &[]).await.severities("rest_not_told"), ["note", "advice"]);
        world.file = RULE.replace("0199", "0198");
        assert_eq!(doctor(&world, &[]).await.codes().iter().filter(|code| code.starts_with("rest_")).count(), 0);
        world.end().await;
    }
}

story! {
    async fn twiml_that_records_as_well_records_twice_and_twiml_that_does_not_is_in_order(world: World) {
        let mut world = world;
        for (recording, code, other) in [
            ("<Start><Recording recordingStatusCallback='/x'/></Start>", "rest_twice", "rest_not_told"),
            ("", "rest_not_told", "twiml_not_recorded"),
        ] {
            world.file = RULE.to_owned();
            let twiml = format!("<Response>{recording}<Connect><Stream url='wss://x'/></Connect></Response>");
            let length = twiml.len();
            let server = Neighbour::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{twiml}"));
            world.twilio.add_number(answered_elsewhere(&world, &format!("{}/answer", server.url), String::new()));
            let told = doctor(&world, &[("APP_URL", &server.url)]).await;
            assert_eq!(told.only(code)["severity"], "advice", "{}", told.text);
            assert!(!told.codes().contains(&other), "{}", told.text);
            // Without the rule it is a note that nothing is recorded.
            world.file = String::new();
            let told = doctor(&world, &[("APP_URL", &server.url)]).await;
            assert!(told.codes().contains(&"twiml_not_recorded") == recording.is_empty(), "{}", told.text);
        }
        world.end().await;
    }
}
