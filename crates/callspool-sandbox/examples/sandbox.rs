//! The outside world as a program of its own, for clients in other languages: `sandbox [twilio-port airtable-port s3-port]`.
//!
//! It prints one line of JSON a service: its address and credentials. Then it reads commands from its input, one line of
//! JSON each (`{"place_call": {"callback_url": …, "seconds": …}}`, `{"add_recording": {"seconds": …, "channels": …}}`,
//! `{"add_number": {"phone_number": …, "voice_url": …}}`, `{"add_application": {"voice_url": …}}`), and answers each by a line; it exits when its input closes.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callspool_domain::audio::AudioFormat;
use callspool_domain::{AccountSid, CallSid, Clock};
use callspool_sandbox::twilio::{Application, Audio, Call, Encryption, NewRecording, Number, PlaceCall, Word};
use callspool_sandbox::{
    Airtable, AirtableOptions, Azure, AzureOptions, Gcs, GcsOptions, S3, S3Options, Twilio, TwilioOptions,
};
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn main() -> Result<(), Box<dyn Error>> {
    let ports = std::env::args().skip(1).map(|port| port.parse()).collect::<Result<Vec<u16>, _>>()?;
    let port = |place: usize| ports.get(place).copied().unwrap_or(0);
    let account = AccountSid::parse("AC00000000000000000000000000000001")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let world = runtime.block_on(World::start(&account, [port(0), port(1), port(2)]))?;
    for service in world.services(&account) {
        say(&service)?;
    }
    for line in io::stdin().lock().lines() {
        say(&runtime.block_on(world.obey(&account, &serde_json::from_str(&line?)?)))?;
    }
    Ok(())
}

fn say(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}

struct World {
    twilio: Twilio,
    airtable: Airtable,
    airtable_options: AirtableOptions,
    s3: S3,
    s3_options: S3Options,
    gcs: Gcs,
    azure: Azure,
}

impl World {
    async fn start(account: &AccountSid, [twilio, airtable, s3]: [u16; 3]) -> io::Result<Self> {
        let twilio_options =
            TwilioOptions { port: twilio, ..TwilioOptions::new(Clock::System, account.clone(), TOKEN) };
        let airtable_options = AirtableOptions { port: airtable, ..AirtableOptions::new(Clock::System) };
        let s3_options = S3Options { port: s3, ..S3Options::default() };
        Ok(Self {
            twilio: Twilio::start(twilio_options).await?,
            airtable: Airtable::start(airtable_options.clone()).await?,
            airtable_options,
            s3: S3::start(s3_options.clone()).await?,
            s3_options,
            gcs: Gcs::start(GcsOptions::default()).await?,
            azure: Azure::start(AzureOptions::default()).await?,
        })
    }

    fn services(&self, account: &AccountSid) -> [Value; 5] {
        let (airtable, s3) = (&self.airtable_options, &self.s3_options);
        [
            json!({ "service": "twilio", "url": self.twilio.base_url(), "account": account, "token": TOKEN }),
            json!({
                "service": "airtable",
                "url": self.airtable.base_url(),
                "token": airtable.token.expose(),
                "base": airtable.base,
                "table": airtable.table,
            }),
            json!({
                "service": "s3",
                "url": self.s3.base_url(),
                "bucket": s3.bucket,
                "access_key": s3.access_key,
                "secret_key": s3.secret_key.expose(),
            }),
            json!({
                "service": "gcs",
                "url": self.gcs.base_url(),
                "bucket": GcsOptions::default().bucket,
                "service_account": self.gcs.service_account().expose(),
            }),
            json!({
                "service": "azure",
                "url": self.azure.endpoint(),
                "account": AzureOptions::default().account,
                "key": AzureOptions::default().key.expose(),
                "container": AzureOptions::default().container,
            }),
        ]
    }

    async fn obey(&self, account: &AccountSid, command: &Value) -> Value {
        if let Some(place) = command.get("place_call") {
            let url = place["callback_url"].as_str().unwrap_or_default();
            let mut call = PlaceCall::new(account.clone(), url, audio(place));
            call.statuses = vec![Word::InProgress, Word::Completed];
            call.recording.encryption = encryption(place);
            let placed = self.twilio.place_call(call).await;
            let sha256 = self.twilio.media_sha256(&placed.recording_sid, AudioFormat::Wav);
            let answers: Vec<Value> = placed.callbacks.iter().map(|callback| json!(callback.outcome)).collect();
            return json!({
                "call": placed.call_sid, "recording": placed.recording_sid, "sha256": sha256, "answers": answers
            });
        }
        if let Some(recording) = command.get("add_recording") {
            let days = u32::try_from(recording["days_ago"].as_u64().unwrap_or(0)).unwrap_or(0);
            let mut spec = NewRecording::new(account.clone(), audio(recording));
            spec.created = Some(Clock::System.now() - DAY * days);
            let sid = self.twilio.add_recording(spec);
            let sha256 = self.twilio.media_sha256(&sid, AudioFormat::Wav);
            return json!({ "recording": sid, "sha256": sha256 });
        }
        if let Some(call) = command.get("begin_call") {
            let sid = self.twilio.new_call_sid();
            self.twilio.add_call(Call {
                sid: sid.clone(),
                account: account.clone(),
                parent: None,
                from: "+14155550100".to_owned(),
                to: "+14155550199".to_owned(),
                status: call["status"].as_str().unwrap_or("in-progress").to_owned(),
                started: Clock::System.now(),
                seconds: 0,
            });
            return json!({ "call": sid });
        }
        if let Some(call) = command.get("end_call") {
            let sid = call["call"].as_str().and_then(|sid| CallSid::parse(sid).ok());
            sid.iter().for_each(|sid| self.twilio.set_call_status(sid, "completed"));
            return json!({});
        }
        if command.get("deliver").is_some() {
            let answers: Vec<Value> = self.twilio.deliver().await.iter().map(|answer| json!(answer.outcome)).collect();
            return json!({ "answers": answers });
        }
        let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
        if let Some(number) = command.get("add_number") {
            let spec = Number::new(account.clone(), &text(number, "phone_number"), text(number, "voice_url"));
            return json!({ "number": self.twilio.add_number(spec) });
        }
        if let Some(application) = command.get("add_application") {
            let (voice_url, status_callback) = (text(application, "voice_url"), String::new());
            let friendly_name = text(application, "friendly_name");
            let spec = Application { account: account.clone(), friendly_name, voice_url, status_callback };
            return json!({ "application": self.twilio.add_application(spec) });
        }
        let unexpected = [
            self.twilio.take_unexpected_requests(),
            self.airtable.take_unexpected_requests(),
            self.s3.take_unexpected_requests(),
            self.gcs.take_unexpected_requests(),
            self.azure.take_unexpected_requests(),
        ];
        json!({ "unexpected": unexpected.concat() })
    }
}

/// With the public key in `public_key` (DER in base64), called `public_key_sid`; without one, none.
fn encryption(asked: &Value) -> Option<Encryption> {
    let public_key = STANDARD.decode(asked["public_key"].as_str()?).ok()?;
    let public_key_sid = asked["public_key_sid"].as_str()?.to_owned();
    Some(Encryption { public_key_sid, public_key, in_callback: true, flaw: None })
}

fn audio(asked: &Value) -> Audio {
    let audio = Audio::seconds(u32::try_from(asked["seconds"].as_u64().unwrap_or(1)).unwrap_or(1));
    if asked["channels"] == 1 { audio.mono() } else { audio }
}
