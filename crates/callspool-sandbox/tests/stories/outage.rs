//! An outage is a real one: the port refuses, what was connected breaks, and it all ends on coming back.

use std::io::ErrorKind;

use callspool_sandbox::Fault;
use callspool_sandbox::twilio::{Audio, NewRecording, Route};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::wire::{account, ask, exchange, read_to_end, request, twilio};

#[tokio::test]
async fn while_it_is_down_the_port_refuses_and_afterwards_it_answers_on_the_same_port() {
    let (twilio, _) = twilio().await;
    let address = twilio.base_url().strip_prefix("http://").expect("http").to_owned();
    for _ in 0..3 {
        twilio.go_down().await;
        let refused = TcpStream::connect(&address).await.expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        twilio.come_back().await.expect("same port");
        assert_eq!(ask(&twilio, "GET", "/Recordings.json").await.status, 200);
    }
}

#[tokio::test]
async fn going_down_breaks_idle_and_waiting_connections() {
    let (twilio, _) = twilio().await;
    let sid = twilio.add_recording(NewRecording::new(account(), Audio::seconds(1)));
    twilio.faults().always(Route::Media, Fault::Hang);
    let address = twilio.base_url().strip_prefix("http://").expect("http").to_owned();
    let mut idle = TcpStream::connect(&address).await.expect("connect");
    let media = format!("/Recordings/{sid}");
    let (waiting, ()) = tokio::join!(ask(&twilio, "GET", &media), async {
        twilio.wait_for(Route::Media, 1).await;
        twilio.go_down().await;
    });
    assert_eq!((waiting.status, waiting.head.as_str()), (0, ""));
    let idle = read_to_end(&mut idle).await;
    assert_eq!((idle.status, idle.body.len()), (0, 0));
}

#[tokio::test]
async fn going_down_breaks_a_request_whose_body_was_never_read() {
    let (twilio, _) = twilio().await;
    twilio.faults().always(Route::Recordings, Fault::Hang);
    let target = format!("/2010-04-01/Accounts/{}/Recordings.json", account());
    let head_alone = request("GET", &target, "", "").replace("Content-Length: 0", "Content-Length: 1000000");
    let (waiting, ()) = tokio::join!(exchange(twilio.base_url(), &head_alone), async {
        twilio.wait_for(Route::Recordings, 1).await;
        twilio.go_down().await;
    });
    assert_eq!((waiting.status, waiting.head.as_str()), (0, ""));
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_connections() {
    let (twilio, _) = twilio().await;
    let address = twilio.base_url().strip_prefix("http://").expect("http").to_owned();
    let mut kept = TcpStream::connect(&address).await.expect("connect");
    // One answered request shows that the connection was accepted.
    let asked = request("GET", "/nothing", "", "").replace("Connection: close\r\n", "");
    kept.write_all(asked.as_bytes()).await.expect("send");
    kept.readable().await.expect("answer");
    drop(twilio);
    read_to_end(&mut kept).await;
}
