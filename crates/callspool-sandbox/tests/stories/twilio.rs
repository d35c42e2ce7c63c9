//! The stand-in for Twilio is as strict as the real one, and forgets what the real one forgets.

use std::time::Duration;

use callspool_domain::audio::AudioFormat;
use callspool_domain::{RecordingSid, Secret};
use callspool_sandbox::twilio::{Account, Audio, Flaw, NewRecording, Number, PlaceCall, Route};
use callspool_sandbox::{Twilio, TwilioOptions};

use crate::wire::{account, ask, basic, exchange, request, twilio};

fn sid_of(resource: &serde_json::Value) -> RecordingSid {
    RecordingSid::parse(resource["sid"].as_str().expect("sid")).expect("sid")
}

#[tokio::test]
async fn a_list_is_followed_page_by_page_newest_first_while_recordings_come_in() {
    let (twilio, clock) = twilio().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(twilio.add_recording(NewRecording::new(account(), Audio::seconds(1))));
        clock.advance(Duration::from_secs(1));
    }
    let first = ask(&twilio, "GET", "/Recordings.json?PageSize=2").await.json();
    twilio.add_recording(NewRecording::new(account(), Audio::seconds(1)));
    let mut listed: Vec<RecordingSid> = Vec::new();
    let mut page = first;
    loop {
        listed.extend(page["recordings"].as_array().expect("list").iter().map(sid_of));
        let Some(next) = page["next_page_uri"].as_str() else { break };
        let target = next.strip_prefix(&format!("/2010-04-01/Accounts/{}", account())).expect("same account");
        page = ask(&twilio, "GET", target).await.json();
    }
    made.reverse();
    assert_eq!(listed, made);
    let forged = ask(&twilio, "GET", "/Recordings.json?PageSize=2&Page=1").await;
    assert_eq!((forged.status, forged.json()["code"].as_u64()), (400, Some(21481)));
    assert_eq!(twilio.unexpected_requests(), [""; 0]);
}

#[tokio::test]
async fn date_filters_compare_days_in_utc() {
    let (twilio, clock) = twilio().await;
    let first = twilio.add_recording(NewRecording::new(account(), Audio::seconds(1)));
    clock.advance(Duration::from_secs(24 * 3600));
    let second = twilio.add_recording(NewRecording::new(account(), Audio::seconds(1)));
    for (filter, expected) in [
        ("DateCreated=2024-03-15", vec![&first]),
        ("DateCreated%3C=2024-03-15", vec![&first]),
        ("DateCreated%3E=2024-03-16", vec![&second]),
        ("DateCreated%3E=2024-03-15", vec![&second, &first]),
        ("DateCreated%3E=2024-03-16T23%3A59%3A59Z", vec![&second]),
    ] {
        let list = ask(&twilio, "GET", &format!("/Recordings.json?{filter}")).await.json();
        let listed: Vec<RecordingSid> = list["recordings"].as_array().expect("list").iter().map(sid_of).collect();
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_recording_is_deleted_once_completed_and_remembered_for_forty_days() {
    let (twilio, clock) = twilio().await;
    let sid = twilio.add_recording(NewRecording::new(account(), Audio::seconds(2)));
    let resource = format!("/Recordings/{sid}.json");
    twilio.set_status(&sid, "processing");
    let too_early = ask(&twilio, "DELETE", &resource).await;
    assert_eq!((too_early.status, too_early.json()["code"].as_u64()), (400, Some(16114)));
    let not_ready = ask(&twilio, "GET", &format!("/Recordings/{sid}")).await;
    assert_eq!(not_ready.status, 404);
    assert!(not_ready.text().contains("<RestException><Code>20404</Code>"), "{}", not_ready.text());

    twilio.set_status(&sid, "completed");
    assert_eq!(ask(&twilio, "GET", &resource).await.json()["duration"], "2");
    assert_eq!(ask(&twilio, "DELETE", &resource).await.status, 204);
    assert_eq!(ask(&twilio, "DELETE", &resource).await.status, 404);
    assert_eq!(ask(&twilio, "GET", &resource).await.status, 404);
    assert_eq!(ask(&twilio, "GET", &format!("/Recordings/{sid}.wav")).await.status, 404);
    assert_eq!(twilio.deleted(), std::slice::from_ref(&sid));

    let remembered = format!("{resource}?IncludeSoftDeleted=true");
    clock.advance(Duration::from_secs(40 * 24 * 3600 - 1));
    assert_eq!(ask(&twilio, "GET", &remembered).await.json()["status"], "deleted");
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&twilio, "GET", &remembered).await.status, 404);
    assert_eq!(twilio.unexpected_requests(), [""; 0]);
}

#[tokio::test]
async fn media_comes_in_the_format_and_channels_asked_for_with_its_length() {
    let (twilio, _) = twilio().await;
    let dual = twilio.add_recording(NewRecording::new(account(), Audio::wav_bytes(100_044)));
    let mono = twilio.add_recording(NewRecording::new(account(), Audio::seconds(1).mono()));
    let wav = ask(&twilio, "GET", &format!("/Recordings/{dual}")).await;
    assert_eq!((wav.status, wav.header("content-type"), wav.body.len()), (200, Some("audio/x-wav"), 100_044));
    assert_eq!(wav.header("content-length"), Some("100044"));
    let mp3 = ask(&twilio, "GET", &format!("/Recordings/{dual}.mp3")).await;
    assert_eq!((mp3.header("content-type"), mp3.body.get(..2)), (Some("audio/mpeg"), Some(&[0xff, 0xe3][..])));
    assert_eq!(twilio.media_length(&dual, AudioFormat::Mp3), Some(mp3.body.len() as u64));
    let mixed = ask(&twilio, "GET", &format!("/Recordings/{dual}.wav?RequestedChannels=1")).await;
    assert_eq!(mixed.body.get(22), Some(&1));
    let refused = ask(&twilio, "GET", &format!("/Recordings/{mono}.wav?RequestedChannels=2")).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("<Code>16113</Code>"));
    assert_eq!(twilio.media_requests(&dual), 3);
    assert_eq!(twilio.count(Route::Media), 4);
}

#[tokio::test]
async fn a_flawed_recording_is_flawed_at_every_download() {
    let (twilio, _) = twilio().await;
    let stored = |flaw| twilio.add_recording(NewRecording::new(account(), Audio::seconds(1).flawed(flaw)));
    for (sid, length) in [(stored(Flaw::Empty), 0), (stored(Flaw::NoSamples), 44), (stored(Flaw::Truncated), 16_023)] {
        for _ in 0..2 {
            let answer = ask(&twilio, "GET", &format!("/Recordings/{sid}")).await;
            assert_eq!((answer.status, answer.body.len()), (200, length));
        }
    }
    let disguised = ask(&twilio, "GET", &format!("/Recordings/{}", stored(Flaw::Xml))).await;
    assert_eq!((disguised.status, disguised.header("content-type")), (200, Some("audio/x-wav")));
    assert!(disguised.text().starts_with("<?xml"));
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused_and_remembered() {
    let (twilio, _) = twilio().await;
    let sid = twilio.add_recording(NewRecording::new(account(), Audio::seconds(1)));
    let resource = format!("/2010-04-01/Accounts/{}/Recordings/{sid}", account());
    let send = |method: &'static str, target: String, credentials: String| {
        let base_url = twilio.base_url().to_owned();
        async move { exchange(&base_url, &request(method, &target, &credentials, "")).await }
    };
    let good = || basic(account().as_str(), "12345");
    let anonymous = send("GET", resource.clone(), String::new()).await;
    assert_eq!(anonymous.status, 401);
    assert!(anonymous.text().contains("<Code>20003</Code>") && anonymous.header("www-authenticate").is_some());
    let wrong = send("GET", format!("{resource}.json"), basic(account().as_str(), "12346")).await;
    assert_eq!((wrong.status, wrong.json()["code"].as_u64()), (401, Some(20003)));
    assert_eq!(send("GET", "/2010-04-01/Nothing.json".to_owned(), good()).await.status, 404);
    assert_eq!(send("GET", format!("{resource}.json?Foo=1"), good()).await.status, 400);
    assert_eq!(send("PUT", format!("{resource}.json"), good()).await.status, 405);
    let remembered = twilio.take_unexpected_requests();
    assert_eq!(remembered.len(), 5, "{remembered:?}");
    assert!(twilio.unexpected_requests().is_empty());
    assert!(twilio.recording(&sid).expect("still there").deleted.is_none());
    assert_eq!(twilio.authorizations("sandbox").len(), 2);
}

#[tokio::test]
async fn an_api_key_works_for_its_account_and_nobody_sees_another_accounts_recordings() {
    let (one, clock) = twilio().await;
    drop(one);
    let other = callspool_domain::AccountSid::parse("AC00000000000000000000000000000002").expect("sid");
    let mut options = TwilioOptions::new(callspool_domain::Clock::Manual(clock), account(), "12345");
    let api_key = Some(("SK0000".to_owned(), Secret::new("s3cret")));
    options.accounts.push(Account { sid: other.clone(), auth_token: Secret::new("x"), api_key });
    let twilio = Twilio::start(options).await.expect("start");
    let sid = twilio.add_recording(NewRecording::new(account(), Audio::seconds(1)));
    let target = format!("/2010-04-01/Accounts/{other}/Recordings/{sid}.json");
    let answer = exchange(twilio.base_url(), &request("GET", &target, &basic("SK0000", "s3cret"), "")).await;
    assert_eq!(answer.status, 404);
    let target = format!("/2010-04-01/Accounts/{other}/Recordings.json");
    let answer = exchange(twilio.base_url(), &request("GET", &target, &basic("SK0000", "s3cret"), "")).await;
    assert_eq!((answer.status, answer.json()["recordings"].as_array().map(Vec::len)), (200, Some(0)));
}

#[tokio::test]
async fn a_placed_call_can_be_fetched_and_listed() {
    let (twilio, _) = twilio().await;
    let placed = twilio.place_call(PlaceCall::new(account(), "http://127.0.0.1:1/", Audio::seconds(3))).await;
    let call = ask(&twilio, "GET", &format!("/Calls/{}.json", placed.call_sid)).await.json();
    assert_eq!((call["duration"].as_str(), call["from"].as_str()), (Some("3"), Some("+14155550100")));
    let calls = ask(&twilio, "GET", "/Calls.json?To=%2B14155550199").await.json();
    assert_eq!(calls["calls"].as_array().map(Vec::len), Some(1));
    let of_call = ask(&twilio, "GET", &format!("/Calls/{}/Recordings.json", placed.call_sid)).await.json();
    assert_eq!(of_call["recordings"][0]["sid"].as_str(), Some(placed.recording_sid.as_str()));
}

#[tokio::test]
async fn a_standard_key_may_list_numbers_and_not_read_the_account() {
    let key = ("SK00000000000000000000000000000001".to_owned(), Secret::new("key secret"));
    let options = TwilioOptions::new(callspool_domain::Clock::System, account(), "token");
    let accounts = vec![Account { sid: account(), auth_token: Secret::new("token"), api_key: Some(key) }];
    let twilio = Twilio::start(TwilioOptions { accounts, ..options }).await.expect("start");
    let sid = twilio.add_number(Number::new(account(), "+15005550006", "https://calls.example.com/voice"));
    let asked = async |rest: &str, user: &str, password: &str| {
        let target = format!("/2010-04-01/Accounts/{}{rest}", account());
        exchange(twilio.base_url(), &request("GET", &target, &basic(user, password), "")).await
    };
    let numbers = asked("/IncomingPhoneNumbers.json", "SK00000000000000000000000000000001", "key secret").await;
    assert_eq!(numbers.json()["incoming_phone_numbers"][0]["sid"], sid);
    let refused = asked(".json", "SK00000000000000000000000000000001", "key secret").await;
    assert_eq!((refused.status, refused.json()["code"].as_u64()), (401, Some(20003)));
    assert_eq!(asked(".json", account().as_str(), "token").await.json()["status"], "active");
    twilio.set_account_status(&account(), "suspended");
    assert_eq!(asked(".json", account().as_str(), "token").await.json()["status"], "suspended");
    assert_eq!(twilio.unexpected_requests(), [""; 0]);
    assert_eq!(asked("/Applications.json?Sid=AP1", account().as_str(), "token").await.status, 400);
}
