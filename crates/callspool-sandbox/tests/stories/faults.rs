//! Every fault happens on the wire as it is named, to the request it is scripted for.

use std::io::ErrorKind;
use std::time::Duration;

use callspool_domain::RecordingSid;
use callspool_sandbox::twilio::{Audio, NewRecording, Route};
use callspool_sandbox::{BodyKind, Fault, Twilio};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::{Answer, TOKEN, account, ask, basic, exchange, request, twilio};

/// The whole file of the recording that these tests download.
const WHOLE: usize = 200_044;

async fn with_recording() -> (Twilio, RecordingSid) {
    let (twilio, _) = twilio().await;
    let sid = twilio.add_recording(NewRecording::new(account(), Audio::wav_bytes(WHOLE as u64)));
    (twilio, sid)
}

async fn download(twilio: &Twilio, sid: &RecordingSid) -> Answer {
    ask(twilio, "GET", &format!("/Recordings/{sid}")).await
}

async fn download_with(fault: Fault) -> Answer {
    let (twilio, sid) = with_recording().await;
    twilio.faults().next(Route::Media, fault);
    let answer = download(&twilio, &sid).await;
    let after = download(&twilio, &sid).await;
    assert_eq!((after.status, after.body.len(), after.end), (200, WHOLE, None), "only the next request is faulty");
    answer
}

#[tokio::test]
async fn a_status_comes_in_the_form_asked_for() {
    let own = download_with(Fault::throttled(7)).await;
    assert_eq!((own.status, own.header("retry-after")), (429, Some("7")));
    assert!(own.text().contains("<Code>20429</Code>"));
    let html = Fault::Status { code: StatusCode::BAD_GATEWAY, retry_after: None, body: BodyKind::Html };
    let html = download_with(html).await;
    assert_eq!((html.status, html.header("content-type")), (502, Some("text/html")));
}

#[tokio::test]
async fn an_early_status_does_not_wait_for_the_body() {
    let (twilio, sid) = with_recording().await;
    twilio.faults().next(Route::Media, Fault::Early(StatusCode::SERVICE_UNAVAILABLE));
    let target = format!("/2010-04-01/Accounts/{}/Recordings/{sid}", account());
    let head_alone = request("PUT", &target, "", "").replace("Content-Length: 0", "Content-Length: 1000000");
    assert_eq!(exchange(twilio.base_url(), &head_alone).await.status, 503);
}

#[tokio::test]
async fn refused_and_lost_replies_differ_in_what_was_done() {
    for (fault, deleted) in [(Fault::Refuse, false), (Fault::LostReply, true)] {
        let (twilio, sid) = with_recording().await;
        twilio.faults().next(Route::Delete, fault);
        let answer = ask(&twilio, "DELETE", &format!("/Recordings/{sid}.json")).await;
        assert_eq!((answer.status, answer.head.as_str()), (0, ""));
        assert_eq!(twilio.recording(&sid).expect("there").deleted.is_some(), deleted);
    }
}

#[tokio::test]
async fn a_cut_comes_after_so_many_bytes_and_is_a_reset() {
    for bytes in [0, 1, 44, 4096] {
        let answer = download_with(Fault::CutAfter(bytes)).await;
        assert_eq!((answer.status, answer.body.len() as u64), (200, bytes));
        assert_eq!(answer.header("content-length"), Some("200044"));
        assert_eq!(answer.end, Some(ErrorKind::ConnectionReset));
    }
}

#[tokio::test]
async fn a_truncated_answer_ends_in_order_with_its_full_length_announced_or_none() {
    let announced = download_with(Fault::Truncate { bytes: 1000, announced: true }).await;
    assert_eq!((announced.header("content-length"), announced.body.len()), (Some("200044"), 1000));
    assert_eq!(announced.end, None);
    let silent = download_with(Fault::Truncate { bytes: 1000, announced: false }).await;
    assert_eq!((silent.header("content-length"), silent.header("transfer-encoding")), (None, Some("chunked")));
    assert!(silent.body.len() < 1100 && silent.body.ends_with(b"\r\n0\r\n\r\n"), "whole chunks and the end");
}

#[tokio::test]
async fn a_longer_answer_announces_what_it_sends() {
    let longer = download_with(Fault::Longer(100)).await;
    assert_eq!((longer.header("content-length"), longer.body.len()), (Some("200144"), WHOLE + 100));
}

#[tokio::test]
async fn a_wrong_body_can_hide_under_the_true_media_type() {
    let plain = download_with(Fault::WrongBody { body: BodyKind::Html, disguised: false }).await;
    assert_eq!((plain.status, plain.header("content-type")), (200, Some("text/html")));
    let disguised = download_with(Fault::WrongBody { body: BodyKind::Xml, disguised: true }).await;
    assert_eq!((disguised.status, disguised.header("content-type")), (200, Some("audio/x-wav")));
    assert!(disguised.text().starts_with("<?xml"));
}

#[tokio::test]
async fn a_hanging_request_goes_on_when_it_is_lifted() {
    let (twilio, sid) = with_recording().await;
    twilio.faults().next(Route::Media, Fault::Hang);
    let (answer, ()) = tokio::join!(download(&twilio, &sid), async {
        twilio.wait_for(Route::Media, 1).await;
        twilio.faults().lift();
    });
    assert_eq!((answer.status, answer.body.len()), (200, WHOLE));
}

#[tokio::test]
async fn a_stalled_answer_sends_its_first_bytes_and_the_rest_when_it_is_lifted() {
    let (twilio, sid) = with_recording().await;
    twilio.faults().next(Route::Media, Fault::Stall(500));
    let target = format!("/2010-04-01/Accounts/{}/Recordings/{sid}", account());
    let mut stream =
        TcpStream::connect(twilio.base_url().strip_prefix("http://").expect("http")).await.expect("connect");
    let asked = request("GET", &target, &basic(account().as_str(), TOKEN), "");
    stream.write_all(asked.as_bytes()).await.expect("send");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("head"));
    }
    let mut first = [0; 500];
    stream.read_exact(&mut first).await.expect("first bytes");
    let more = stream.try_read(&mut [0; 1]).expect_err("nothing more");
    assert_eq!(more.kind(), ErrorKind::WouldBlock);
    twilio.faults().lift();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("rest");
    assert_eq!(rest.len(), WHOLE - 500);
}

#[tokio::test]
async fn a_delayed_answer_is_whole() {
    let delayed = download_with(Fault::Delay(Duration::from_millis(1))).await;
    assert_eq!((delayed.status, delayed.body.len()), (200, WHOLE));
}

#[tokio::test]
async fn a_drip_sends_everything_in_small_pieces() {
    let dripped = download_with(Fault::Drip { bytes: 50_000, every: Duration::from_millis(1) }).await;
    assert_eq!((dripped.status, dripped.body.len()), (200, WHOLE));
}

#[tokio::test]
async fn one_recording_can_be_faulty_while_others_work() {
    let (twilio, bad) = with_recording().await;
    let good = twilio.add_recording(NewRecording::new(account(), Audio::seconds(1)));
    twilio.faults().of(bad.as_str()).always(Route::Media, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
    for _ in 0..2 {
        assert_eq!(download(&twilio, &bad).await.status, 503);
        assert_eq!(download(&twilio, &good).await.status, 200);
    }
    twilio.faults().clear(Route::Media);
    assert_eq!(download(&twilio, &bad).await.status, 200);
}

#[tokio::test]
async fn random_faults_are_the_same_for_the_same_seed() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let (twilio, sid) = with_recording().await;
        twilio.faults().random(seed, 500);
        for _ in 0..40 {
            download(&twilio, &sid).await;
        }
        runs.push(twilio.requests().into_iter().map(|request| request.fault).collect::<Vec<_>>());
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    let broken = runs[0].iter().flatten().count();
    assert!((10..=30).contains(&broken), "{broken} of 40");
}
