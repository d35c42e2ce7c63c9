//! Callbacks prepared before the clock starts: distinct recordings of distinct calls, signed as the provider signs.

use callspool_domain::Secret;
use callspool_sandbox::twilio::sign;

/// The account of the benchmark.
pub const ACCOUNT: &str = "AC00000000000000000000000000000be0";
/// Its token.
pub const TOKEN: &str = "the-auth-token-of-the-benchmark";
/// The public address that the provider is told; the signature covers it.
pub const APP_URL: &str = "https://calls.example.com";

/// Odd, so that multiplying by it reaches every number once: ids that are distinct and in no order.
const SCATTER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// The callback number `n` as the bytes of a whole HTTP request. `in-progress`, so that no transfer follows.
pub fn request(n: usize) -> Vec<u8> {
    let path = format!("/api/twilio/recording?job=JOB{n}&source=Bench");
    let id = |kind: u128| format!("{:032x}", (n as u128 * 2 + kind).wrapping_mul(SCATTER));
    let params = [
        ("AccountSid", ACCOUNT.to_owned()),
        ("CallSid", format!("CA{}", id(0))),
        ("RecordingSid", format!("RE{}", id(1))),
        ("RecordingStatus", "in-progress".to_owned()),
        ("RecordingChannels", "2".to_owned()),
        ("RecordingStartTime", "Fri, 15 Mar 2024 14:30:22 +0000".to_owned()),
        ("RecordingSource", "StartCallRecordingAPI".to_owned()),
        ("RecordingTrack", "both".to_owned()),
        ("ErrorCode", "0".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let signature = sign(&Secret::new(TOKEN), &format!("{APP_URL}{path}"), &params);
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    format!(
        "POST {path} HTTP/1.1\r\nHost: calls.example.com\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n\
         Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nX-Twilio-Signature: {signature}\r\n\
         I-Twilio-Idempotency-Token: {}\r\nContent-Length: {}\r\n\r\n{body}",
        id(0),
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_callbacks_are_alike() {
        let requests: BTreeSet<Vec<u8>> = (0..1000).map(request).collect();
        assert_eq!(requests.len(), 1000);
    }
}
