//! Telephone numbers, applications, and the TwiML they lead to.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};

use callspool_sandbox::twilio::{Application, Number, Route};

use super::{doctor, good_number, put_in_order};
use crate::harness::{World, story};

/// A server that gives one answer to everything, as long as it is held.
pub(super) struct Neighbour {
    pub(super) url: String,
}

impl Neighbour {
    /// Starts it; its thread ends with the test's process.
    pub(super) fn answering(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        std::thread::spawn(move || {
            while let Ok((mut connection, _)) = listener.accept() {
                let answer = answer.replacen("\r\n", "\r\nConnection: close\r\n", 1);
                let mut rest = vec![0; 64 * 1024];
                let answered = connection.read(&mut rest).and_then(|_| connection.write_all(answer.as_bytes()));
                // Closing before everything is read would break the connection, and the answer with it.
                drop(answered.and_then(|()| connection.shutdown(Shutdown::Write)));
                while connection.read(&mut rest).is_ok_and(|read| read > 0) {}
            }
        });
        Self { url }
    }
}

fn number(world: &World, voice_url: &str) -> Number {
    Number { voice_url: voice_url.to_owned(), ..good_number(world) }
}

story! {
    async fn what_numbers_are_set_to_is_told_and_no_stranger_is_asked(world: World) {
        let mut world = world;
        put_in_order(&mut world).await;
        let nobody = World::listen_for_nobody();
        let stranger = format!("http://user:hunter2@{}/voice?token=hunter2", nobody.address());
        for _ in 0..5 {
            world.twilio.add_number(number(&world, &stranger));
        }
        world.twilio.add_number(number(&world, ""));
        world.twilio.add_number(Number { trunk: Some("TK1".to_owned()), ..good_number(&world) });
        world.twilio.add_number(Number { voice_application: Some("AP1".to_owned()), ..good_number(&world) });
        world.twilio.add_number(Number { voice: false, ..number(&world, "") });
        let told = doctor(&world, &[]).await;
        assert_eq!(told.exit, 0, "{}", told.text);
        let elsewhere = told.only("number_elsewhere");
        assert_eq!((&elsewhere["severity"], &elsewhere["about"]), (&"note".into(), &"+141…99, +141…99, +141…99 and 2 more".into()));
        for code in ["number_unanswered", "number_on_trunk", "application_hidden"] {
            assert_eq!(told.only(code)["severity"], "note");
        }
        assert!(!told.text.contains("hunter2") && nobody.was_left_alone());
        world.end().await;
    }
}

story! {
    async fn voice_urls_that_will_be_refused_lose(world: World) {
        let mut world = world;
        put_in_order(&mut world).await;
        let voice = world.url("/api/twilio/voice");
        for url in [
            world.url("/api/twilio/recording"),
            world.url("/base/api/twilio/voice"),
            world.url("/twiml").replace("http:", "https:"),
            voice.replace("://", "://anna:hunter2@"),
            format!("{voice}/"),
        ] {
            world.twilio.add_number(number(&world, &url));
        }
        let told = doctor(&world, &[]).await;
        assert_eq!((told.exit, told.severities("number_url_wrong")), (1, vec!["loses"; 5]), "{}", told.text);
        assert!(!told.text.contains("hunter2"), "{}", told.text);
        world.end().await;
    }
}

story! {
    async fn what_could_be_set_better_is_advice(world: World) {
        world.twilio.add_application(Application {
            account: world.account(),
            friendly_name: "App".to_owned(),
            voice_url: world.url("/api/twilio/voice?assistant=anna"),
            status_callback: String::new(),
        });
        let told = doctor(&world, &[]).await;
        assert_eq!(told.exit, 0);
        for code in ["voice_rule_missing", "retry_missing", "status_callback_missing"] {
            assert_eq!(told.only(code)["severity"], "advice");
        }
        let told = doctor(&world, &[("RECORDING_CALLBACK_RETRY", "off")]).await;
        assert!(told.only("retry_missing")["about"].as_str().expect("text").contains("callspool writes"));
        world.end().await;
    }
}

story! {
    async fn rules_that_do_not_record_or_hand_the_call_on_are_told(world: World) {
        let mut world = world;
        world.file = "[[voice]]\nthen = \"redirect:https://ivr.example.com/x?token=hunter2\"\n\
                      [[voice]]\nnumber = \"+14155550199\"\nthen = \"say:x\"\n[voice.recording]\nenabled = false\n"
            .to_owned();
        let told = doctor(&world, &[]).await;
        assert_eq!(told.only("voice_redirect")["severity"], "note");
        assert_eq!(told.only("voice_not_recorded")["severity"], "note");
        assert!(!told.text.contains("hunter2"));
        world.end().await;
    }
}

story! {
    async fn twiml_on_our_own_host_is_read(world: World) {
        let twiml = "<Response><Record/><Connect><Stream url='wss://x'/></Connect></Response>";
        let length = twiml.len();
        let server = Neighbour::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{twiml}"));
        world.twilio.add_number(number(&world, &format!("{}/answer?token=hunter2", server.url)));
        world.twilio.add_number(number(&world, &world.url("/answer")));
        let told = doctor(&world, &[("APP_URL", &server.url)]).await;
        assert_eq!(told.only("twiml_record_verb")["severity"], "loses");
        assert_eq!(told.only("twiml_callback")["severity"], "loses");
        assert_eq!(told.severities("number_elsewhere"), ["note"], "another port is another's");
        assert!(!told.text.contains("hunter2"));
        world.end().await;
    }
}

story! {
    async fn a_path_of_our_host_where_nothing_is_is_wrong(world: World) {
        let mut world = world;
        put_in_order(&mut world).await;
        world.twilio.add_number(number(&world, &world.url("/answer")));
        let told = doctor(&world, &[]).await;
        assert_eq!((told.exit, told.severities("number_url_wrong")), (1, vec!["loses"]), "{}", told.text);
        assert!(!told.codes().contains(&"twiml_unreadable"), "{}", told.text);
        // Of another program's 404 to a GET it is not known what it would answer to Twilio's POST.
        for (answer, code) in [("404 Not Found", "number_url_wrong"), ("405 Method Not Allowed", "twiml_unreadable")] {
            let server = Neighbour::answering(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n"));
            world.twilio.add_number(number(&world, &format!("{}/answer", server.url)));
            let told = doctor(&world, &[("APP_URL", &server.url)]).await;
            let severity = if code == "number_url_wrong" { "advice" } else { "note" };
            // The number in order is on another port than this address, which loses.
            assert!(told.severities(code).contains(&severity), "{}", told.text);
        }
        world.end().await;
    }
}

story! {
    async fn a_long_list_is_read_page_by_page(world: World) {
        let mut world = world;
        put_in_order(&mut world).await;
        for _ in 0..250 {
            world.twilio.add_number(number(&world, "https://elsewhere.example/voice"));
        }
        let told = doctor(&world, &[]).await;
        assert!(told.only("number_elsewhere")["about"].as_str().expect("text").ends_with("and 247 more"));
        assert_eq!(world.twilio.count(Route::Numbers), 3);
        world.end().await;
    }
}
