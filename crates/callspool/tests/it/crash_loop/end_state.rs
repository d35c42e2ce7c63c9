//! What is left of a life when everything is done: the outside world, and what the ledger says.
//!
//! Nothing in it depends on how the life went, so two lives are compared by it; only times and ports are left out.

use callspool_domain::Timestamp;
use callspool_domain::audio::AudioFormat;
use callspool_sandbox::twilio::Route;
use sha2::{Digest as _, Sha256};

use super::life::{DELAY, JOB, Life, PRIOR_TEXT};

/// What anybody can see afterwards.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EndState {
    /// Key and SHA-256 of every object in the archive; a temporary file would be one.
    pub(super) objects: Vec<(String, String)>,
    /// The job's history, with the times of its lines as the ledger has them replaced.
    pub(super) history: String,
    /// Multipart uploads that were neither completed nor aborted.
    pub(super) open_uploads: Vec<String>,
    /// Whether the provider's copy is gone, and went no earlier than the delay after the archive copy was verified.
    pub(super) released_in_time: bool,
    /// The ledger, row by row.
    pub(super) ledger: Vec<String>,
}

/// The ledger's rows as texts: all that does not depend on how often something was tried, or when.
const LEDGER: &[&str] = &[
    "SELECT call_sid || ' job ' || COALESCE(job_id, '-') FROM calls",
    "SELECT recording_sid || ' ' || status FROM recordings",
    "SELECT recording_sid || ' ' || place || ' ' || state || ' ' || COALESCE(object_key, '-') || ' ' || \
     COALESCE(sha256, '-') FROM copies",
    "SELECT job_id || ' ' || recording_sid || ' ' || event || ' ' || state FROM lines",
    "SELECT step_id || ' ' || CASE WHEN state IN ('done', 'cancelled') THEN 'over' ELSE state END FROM steps",
    "SELECT kind || ' ' || COALESCE(recording_sid, '-') || ' times ' || CAST(COUNT(*) AS TEXT) FROM events \
     GROUP BY kind, recording_sid",
    "SELECT name || ' ' || CAST(SUM(value) AS TEXT) FROM counters GROUP BY name",
];

impl EndState {
    /// Looks at everything.
    pub(super) async fn of(life: &Life) -> Self {
        let mut ledger = Vec::new();
        for query in LEDGER {
            let mut rows = life.world.database.texts(query).await;
            rows.sort();
            ledger.extend(rows);
        }
        Self {
            objects: objects(life),
            history: history(life).await,
            open_uploads: life.bucket.as_ref().map(|bucket| bucket.open_uploads()).unwrap_or_default(),
            released_in_time: released_in_time(life).await,
            ledger,
        }
    }

    /// Holds the state against the promise itself, so that the lives are not all equally wrong.
    pub(super) async fn check(&self, life: &Life) {
        let sid = &life.recording;
        let made = life.world.twilio.media_sha256(sid, AudioFormat::Wav).expect("known");
        let hashes: Vec<&str> = self.objects.iter().map(|(_, sha256)| sha256.as_str()).collect();
        assert_eq!(hashes, [made.as_str()], "one object, equal to the provider's bytes");
        let prior = if life.table.is_some() { format!("{PRIOR_TEXT}\n") } else { String::new() };
        let line = format!("{prior}---- | {{at}} | Event: Recording | Source: IVR | URL: {{url}}/r/{sid}");
        assert_eq!(self.history, line, "one line, after what stood there");
        assert!(self.released_in_time);
        assert_eq!(life.world.twilio.count(Route::Delete), 1);
        assert_eq!(self.open_uploads, Vec::<String>::new());
        for row in [
            format!("{sid} archived"),
            format!("{sid} provider gone - -"),
            format!("{JOB} {sid} Recording confirmed"),
            format!("archive/{sid} over"),
            format!("link/{JOB} over"),
            format!("release/{sid} over"),
            format!("archive_verified {sid} times 1"),
            format!("line_confirmed {sid} times 1"),
            format!("released {sid} times 1"),
        ] {
            assert!(self.ledger.contains(&row), "{row} is not in {:#?}", self.ledger);
        }
    }
}

async fn history(life: &Life) -> String {
    let mut history = life.history().await.replace(&life.world.url(""), "{url}");
    for owed in life.world.database.texts("SELECT CAST(owed_at AS TEXT) FROM lines").await {
        let at = Timestamp::from_micros(owed.parse().expect("a time")).history();
        history = history.replace(&at, "{at}");
    }
    history
}

async fn released_in_time(life: &Life) -> bool {
    let verified = "SELECT CAST(verified_at AS TEXT) FROM copies WHERE verified_at IS NOT NULL";
    let verified = life.world.database.texts(verified).await.pop().expect("verified").parse().expect("a time");
    let released = life.world.twilio.recording(&life.recording).and_then(|recording| recording.deleted);
    released.is_some_and(|at| at >= Timestamp::from_micros(verified) + DELAY)
}

fn objects(life: &Life) -> Vec<(String, String)> {
    let keys = life.bucket.as_ref().map_or_else(|| life.world.archive_files(), |bucket| bucket.keys());
    let bytes = |key: &String| match &life.bucket {
        Some(bucket) => bucket.object(key).expect("an object"),
        None => std::fs::read(life.world.archive_folder().join(key)).expect("a file"),
    };
    keys.iter().map(|key| (key.clone(), hex::encode(Sha256::digest(bytes(key))))).collect()
}
