//! Properties of the plan: over any history of facts it never asks for a release before the gate's facts are there, always
//! makes progress, changes nothing when asked twice, and reaches an end once the world answers.

#![expect(clippy::expect_used, reason = "a model that can't be built ends the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callspool_domain::gate;
use callspool_domain::line::{Event, LineState};
use callspool_domain::plan::{Next, PENDING_AFTER, Plan, plan};
use callspool_domain::recording::{CopyState, ProviderStatus, Status};
use callspool_domain::view::{ArchiveView, CallView, LineView, RecordingView};
use callspool_domain::{CallSid, JobId, Policy, PublicKeySid, RecordingSid, StepName, StepState, Timestamp};
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);
const DELAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Clone)]
enum Fact {
    Announced { recording: usize, word: &'static str },
    Archived { recording: usize, doubtful: bool },
    Sealed { recording: usize },
    GaveUp { recording: usize, status: Status },
    Accepted { recording: usize },
    Linked,
    Tied { job: usize },
    LookedUp { found: bool },
    Delayed { recording: usize },
    Parked { recording: usize },
    Released { recording: usize },
    ToBeRecorded,
    RecordSettled { recording: Option<usize> },
    Ours { recording: usize },
    Stopped { recording: usize },
    Waited { hours: u64 },
}

fn facts() -> impl Strategy<Value = Fact> {
    let recording = 0..3usize;
    prop_oneof![
        (recording.clone(), prop::sample::select(vec!["in-progress", "completed", "absent", "failed", "new-word"]))
            .prop_map(|(recording, word)| Fact::Announced { recording, word }),
        (recording.clone(), any::<bool>()).prop_map(|(recording, doubtful)| Fact::Archived { recording, doubtful }),
        recording.clone().prop_map(|recording| Fact::Sealed { recording }),
        (recording.clone(), prop::sample::select(vec![Status::Failed, Status::Missing]))
            .prop_map(|(recording, status)| Fact::GaveUp { recording, status }),
        recording.clone().prop_map(|recording| Fact::Accepted { recording }),
        Just(Fact::Linked),
        (0..2usize).prop_map(|job| Fact::Tied { job }),
        any::<bool>().prop_map(|found| Fact::LookedUp { found }),
        recording.clone().prop_map(|recording| Fact::Delayed { recording }),
        recording.clone().prop_map(|recording| Fact::Parked { recording }),
        recording.clone().prop_map(|recording| Fact::Released { recording }),
        Just(Fact::ToBeRecorded),
        prop::option::of(recording.clone()).prop_map(|recording| Fact::RecordSettled { recording }),
        recording.clone().prop_map(|recording| Fact::Ours { recording }),
        recording.prop_map(|recording| Fact::Stopped { recording }),
        (0..60u64).prop_map(|hours| Fact::Waited { hours }),
    ]
}

fn policies() -> impl Strategy<Value = Policy> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(release, release_without_job, find_jobs, opens)| Policy {
            app_url: "https://calls.example.com".into(),
            delete_after: release.then_some(DELAY),
            release_without_job,
            find_jobs,
            recording_max: Some(HOUR),
            recording_keys: opens.then(public_key).into_iter().collect(),
        },
    )
}

fn public_key() -> PublicKeySid {
    PublicKeySid::parse(&format!("CR{}", "0".repeat(32))).expect("sid")
}

/// The ledger in miniature: it applies facts and plans as the store does.
#[derive(Debug, Clone)]
struct Ledger {
    call: CallView,
    lines: BTreeMap<(JobId, RecordingSid, Event), LineState>,
    link: BTreeMap<JobId, Option<StepState>>,
    policy: Policy,
    now: Timestamp,
}

fn live(state: Option<StepState>) -> bool {
    matches!(state, Some(StepState::Waiting | StepState::Running | StepState::Parked))
}

impl Ledger {
    fn new(policy: Policy) -> Self {
        let sid = CallSid::parse(&format!("CA{}", "0".repeat(32))).expect("sid");
        let call = CallView {
            sid,
            job: None,
            find_job: None,
            record_wanted: false,
            record_step: None,
            recordings: Vec::new(),
        };
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        Self { call, lines: BTreeMap::new(), link: BTreeMap::new(), policy, now }
    }

    fn recording(&mut self, n: usize) -> Option<&mut RecordingView> {
        self.call.recordings.iter_mut().find(|recording| recording.sid.as_str().ends_with(&n.to_string()))
    }

    /// Applies a fact where it can happen at all: steps end only where the plan has asked for them.
    fn apply(&mut self, fact: &Fact) {
        let now = self.now;
        match fact {
            Fact::Announced { recording, word } => self.announce(*recording, word),
            Fact::Archived { recording, doubtful } => {
                let Some(recording) = self.recording(*recording).filter(|r| r.archive_step == Some(StepState::Waiting))
                else {
                    return;
                };
                recording.archive_step = Some(StepState::Done);
                recording.status = Status::Archived;
                let (state, doubtful) = (CopyState::Verified, *doubtful);
                recording.archive = Some(ArchiveView { state, verified_at: Some(now), doubtful, accepted: false });
            }
            Fact::Sealed { recording } => {
                let waits = |r: &&mut RecordingView| r.archive_step == Some(StepState::Waiting);
                let Some(recording) = self.recording(*recording).filter(waits) else { return };
                if recording.public_key.is_some() && recording.status == Status::Announced {
                    recording.archive_step = Some(StepState::Done);
                    recording.status = Status::Sealed;
                }
            }
            Fact::GaveUp { recording, status } => {
                let Some(recording) = self.recording(*recording).filter(|r| r.archive_step == Some(StepState::Waiting))
                else {
                    return;
                };
                recording.archive_step = Some(StepState::Done);
                recording.status = *status;
            }
            Fact::Accepted { recording } => {
                if let Some(archive) = self.recording(*recording).and_then(|recording| recording.archive.as_mut()) {
                    archive.accepted = true;
                }
            }
            Fact::Linked => self.link_lines(),
            Fact::Tied { job } => {
                self.call.job = Some(JobId::parse(&format!("JOB{job}")).expect("job"));
            }
            Fact::LookedUp { found } => {
                if self.call.find_job == Some(StepState::Waiting) && *found {
                    self.call.find_job = Some(StepState::Done);
                    self.call.job = Some(JobId::parse("FOUND").expect("job"));
                }
            }
            Fact::Delayed { recording } => {
                if let Some(recording) =
                    self.recording(*recording).filter(|r| r.archive_step == Some(StepState::Waiting))
                {
                    recording.archive_has_failed = true;
                }
            }
            Fact::Parked { recording } => {
                if let Some(recording) =
                    self.recording(*recording).filter(|r| r.archive_step == Some(StepState::Waiting))
                {
                    recording.archive_step = Some(StepState::Parked);
                }
            }
            Fact::Released { recording } => self.release(*recording),
            Fact::ToBeRecorded => self.call.record_wanted = self.call.record_step.is_none(),
            Fact::RecordSettled { recording } => {
                if self.call.record_step == Some(StepState::Waiting) {
                    self.call.record_step = Some(StepState::Done);
                    self.call.record_wanted = false;
                    recording.iter().for_each(|recording| self.ours(*recording));
                }
            }
            Fact::Ours { recording } => self.ours(*recording),
            Fact::Stopped { recording } => {
                if let Some(recording) = self.recording(*recording).filter(|r| r.stop_step == Some(StepState::Waiting))
                {
                    recording.stop_step = Some(StepState::Done);
                    recording.ours_since = None;
                }
            }
            Fact::Waited { hours } => self.now = now + Duration::from_secs(hours * 3600),
        }
        self.replan();
    }

    fn announce(&mut self, n: usize, word: &str) {
        let word = ProviderStatus::new(word);
        if self.recording(n).is_none() {
            self.call.recordings.push(RecordingView {
                sid: RecordingSid::parse(&format!("RE{}{n}", "0".repeat(31))).expect("sid"),
                status: Status::Announced,
                provider_status: ProviderStatus::new("in-progress"),
                public_key: (n > 0).then(public_key),
                provider_copy_gone: false,
                archive: None,
                lines: Vec::new(),
                archive_step: None,
                archive_wanted_at: None,
                archive_has_failed: false,
                release_step: None,
                ours_since: None,
                stop_step: None,
            });
        }
        let recording = self.recording(n).expect("just added");
        if word.finality() >= recording.provider_status.finality() {
            if recording.archive.is_none()
                && matches!(recording.status, Status::Announced | Status::Absent | Status::Failed)
            {
                recording.status = word.settles().unwrap_or(Status::Announced);
            }
            recording.provider_status = word;
        }
    }

    fn ours(&mut self, n: usize) {
        let now = self.now;
        self.announce(n, "in-progress");
        let recording = self.recording(n).expect("just announced");
        if recording.stop_step.is_none() {
            recording.ours_since = recording.ours_since.or(Some(now));
        }
    }

    fn link_lines(&mut self) {
        for ((job, _, _), state) in &mut self.lines {
            if self.link.get(job) == Some(&Some(StepState::Waiting)) {
                *state = LineState::Confirmed;
            }
        }
        let waiting = self.link.values_mut().filter(|state| **state == Some(StepState::Waiting));
        waiting.for_each(|state| *state = Some(StepState::Done));
    }

    /// The release step as it runs: the gate once more, right before the deletion.
    fn release(&mut self, n: usize) {
        let (call, policy, now) = (self.call.clone(), self.policy.clone(), self.now);
        let Some(recording) = self.recording(n).filter(|r| r.release_step == Some(StepState::Waiting)) else { return };
        if gate::closed(&call, recording, &policy, now).is_empty() {
            recording.release_step = Some(StepState::Done);
            recording.provider_copy_gone = true;
        }
    }

    fn replan(&mut self) {
        self.refresh_lines();
        let wanted = plan(&self.call, &self.policy, self.now);
        self.check(&wanted);
        self.apply_plan(&wanted);
        self.refresh_lines();
        let again = self.clone();
        self.apply_plan(&plan(&again.call, &again.policy, again.now));
        assert_eq!(format!("{:?}", self.call), format!("{:?}", again.call), "planning twice changes nothing");
    }

    fn refresh_lines(&mut self) {
        for recording in &mut self.call.recordings {
            let own = self.lines.iter().filter(|((_, sid, _), _)| *sid == recording.sid);
            let view = |((job, _, event), state): (&(JobId, _, Event), &LineState)| LineView {
                job: job.clone(),
                event: *event,
                state: *state,
            };
            recording.lines = own.map(view).collect();
        }
    }

    fn check(&self, plan: &Plan) {
        for wanted in plan.ensure.iter().filter(|wanted| wanted.step == StepName::Release) {
            let recording = self.call.recordings.iter().find(|r| r.sid.as_str() == wanted.subject.id()).expect("ours");
            assert_eq!(
                gate::standing(&self.call, recording, &self.policy),
                [],
                "released before the gate's facts are there"
            );
            let verified_at = recording.archive.as_ref().and_then(|archive| archive.verified_at).expect("verified");
            assert!(wanted.due_at >= verified_at + DELAY, "released before the delay is over");
        }
        for wanted in plan.ensure.iter().filter(|wanted| wanted.step == StepName::Stop) {
            let recording = self.call.recordings.iter().find(|r| r.sid.as_str() == wanted.subject.id()).expect("ours");
            let since = recording.ours_since.expect("only what we started is stopped");
            assert_eq!(wanted.due_at, since + HOUR, "not before its time");
        }
        let under_way = self.call.recordings.iter().any(|recording| recording.status == Status::Announced);
        if under_way || !plan.ensure.is_empty() {
            assert_ne!(plan.next, Next::Settled, "unsettled, and nobody would look again");
        }
        for line in plan.lines.iter().filter(|line| line.event != Event::Moved) {
            assert_eq!(
                Some(&line.job),
                self.call.job.as_ref(),
                "only the call's job learns what became of a recording"
            );
        }
    }

    fn apply_plan(&mut self, plan: &Plan) {
        for line in &plan.lines {
            let key = (line.job.clone(), line.recording.clone(), line.event);
            self.lines.entry(key).or_insert(LineState::Owed);
        }
        for recording in &plan.back {
            let job = self.call.job.clone().expect("it is back in a job");
            self.lines.remove(&(job, recording.clone(), Event::Moved));
        }
        for wanted in &plan.ensure {
            let slot = self.slot(wanted.step, wanted.subject.id());
            if !live(*slot) {
                *slot = Some(StepState::Waiting);
            }
            if wanted.step == StepName::Archive {
                let now = self.now;
                let recording = self.call.recordings.iter_mut().find(|r| r.sid.as_str() == wanted.subject.id());
                recording.expect("ours").archive_wanted_at.get_or_insert(now);
            }
        }
        for (subject, step) in &plan.cancel {
            *self.slot(*step, subject.id()) = Some(StepState::Cancelled);
        }
    }

    fn slot(&mut self, step: StepName, subject: &str) -> &mut Option<StepState> {
        match step {
            StepName::FindJob => &mut self.call.find_job,
            StepName::Record => &mut self.call.record_step,
            StepName::Link => self.link.entry(JobId::parse(subject).expect("job")).or_default(),
            StepName::Archive | StepName::Release | StepName::Stop => {
                let recording = self.call.recordings.iter_mut().find(|r| r.sid.as_str() == subject).expect("ours");
                match step {
                    StepName::Archive => &mut recording.archive_step,
                    StepName::Stop => &mut recording.stop_step,
                    _ => &mut recording.release_step,
                }
            }
            StepName::Scan => unreachable!("an account's steps are not the plan's"),
        }
    }
}

fn ledger() -> Ledger {
    let policy = Policy {
        app_url: "https://calls.example.com".into(),
        delete_after: Some(DELAY),
        release_without_job: false,
        find_jobs: true,
        recording_max: Some(HOUR),
        recording_keys: BTreeSet::new(),
    };
    Ledger::new(policy)
}

fn job(n: usize) -> JobId {
    JobId::parse(&format!("JOB{n}")).expect("job")
}

impl Ledger {
    fn told(&self, n: usize) -> Vec<Event> {
        self.lines.keys().filter(|(owed_to, _, _)| *owed_to == job(n)).map(|(_, _, event)| *event).collect()
    }
}

#[test]
fn a_call_tied_to_another_job_leaves_word_in_the_first_and_only_once() {
    let mut ledger = ledger();
    ledger.apply(&Fact::Tied { job: 0 });
    ledger.apply(&Fact::Announced { recording: 0, word: "completed" });
    ledger.apply(&Fact::Archived { recording: 0, doubtful: false });
    ledger.apply(&Fact::Linked);
    ledger.apply(&Fact::Tied { job: 1 });
    assert_eq!((ledger.told(0), ledger.told(1)), (vec![Event::Recording, Event::Moved], vec![Event::Recording]));
    ledger.apply(&Fact::Linked);
    let before = ledger.lines.clone();
    ledger.apply(&Fact::Tied { job: 1 });
    assert_eq!(ledger.lines, before, "the same again changes nothing");
    ledger.apply(&Fact::Tied { job: 0 });
    assert_eq!(ledger.told(0), [Event::Recording], "it is back, and could move away again");
    assert_eq!(ledger.told(1), [Event::Recording, Event::Moved]);
}

#[test]
fn a_job_is_told_of_a_failing_archive_after_a_minute_and_not_of_a_backlog() {
    let mut ledger = ledger();
    ledger.apply(&Fact::Tied { job: 0 });
    ledger.apply(&Fact::Announced { recording: 0, word: "completed" });
    let first_look = plan(&ledger.call, &ledger.policy, ledger.now).next;
    assert_eq!(first_look, Next::LookAgain(ledger.now + PENDING_AFTER));
    ledger.now = ledger.now + PENDING_AFTER;
    ledger.replan();
    assert_eq!(ledger.told(0), []);
    ledger.apply(&Fact::Delayed { recording: 0 });
    assert_eq!(ledger.told(0), [Event::Pending]);
    ledger.apply(&Fact::Archived { recording: 0, doubtful: false });
    assert_eq!(ledger.told(0), [Event::Recording, Event::Pending]);
}

#[test]
fn a_job_is_told_that_there_is_no_recording() {
    let mut ledger = ledger();
    ledger.apply(&Fact::Tied { job: 0 });
    ledger.apply(&Fact::Announced { recording: 0, word: "absent" });
    assert_eq!(ledger.told(0), [Event::NoRecording]);
    ledger.apply(&Fact::Tied { job: 1 });
    assert_eq!((ledger.told(0), ledger.told(1)), (vec![Event::NoRecording], vec![Event::NoRecording]));
}

proptest! {
    #[test]
    fn whatever_happens_the_plan_keeps_its_promises(policy in policies(), history in prop::collection::vec(facts(), 1..60)) {
        let mut ledger = Ledger::new(policy);
        for fact in &history {
            ledger.apply(fact);
        }
    }

    #[test]
    fn once_the_world_answers_every_recording_reaches_its_end(policy in policies(), history in prop::collection::vec(facts(), 1..60)) {
        let mut ledger = Ledger::new(policy);
        for fact in &history {
            ledger.apply(fact);
        }
        for recording in 0..3 {
            ledger.apply(&Fact::Announced { recording, word: "completed" });
            ledger.apply(&Fact::Accepted { recording });
        }
        ledger.apply(&Fact::RecordSettled { recording: None });
        ledger.apply(&Fact::Tied { job: 1 });
        let unpark = |ledger: &mut Ledger| for recording in &mut ledger.call.recordings {
            if recording.archive_step == Some(StepState::Parked) {
                recording.archive_step = Some(StepState::Waiting);
            }
        };
        unpark(&mut ledger);
        for recording in 0..3 {
            ledger.apply(&Fact::Archived { recording, doubtful: false });
        }
        ledger.apply(&Fact::Linked);
        ledger.apply(&Fact::Waited { hours: 25 });
        for recording in 0..3 {
            ledger.apply(&Fact::Released { recording });
        }
        let end = plan(&ledger.call, &ledger.policy, ledger.now);
        prop_assert_eq!(&end.next, &Next::Settled, "{:?}", ledger);
        for recording in &ledger.call.recordings {
            let archived = recording.status == Status::Archived;
            let sealed = recording.status == Status::Sealed;
            prop_assert!(!sealed || ledger.policy.recording_keys.is_empty(), "it could have been opened: {:?}", recording);
            let ended = archived || sealed || matches!(recording.status, Status::Failed | Status::Missing);
            prop_assert!(ended, "{:?}", recording);
            prop_assert!(recording.lines.iter().all(|line| line.state == LineState::Confirmed), "{:?}", recording);
            let job = ledger.call.job.as_ref().expect("it is tied");
            let told = if archived || sealed { Event::Recording } else { Event::NoRecording };
            prop_assert!(recording.line(job, told).is_some(), "{:?}", recording);
            for line in &recording.lines {
                let has_left = recording.line(&line.job, Event::Moved).is_some();
                prop_assert_eq!(has_left, line.job != *job && (recording.line(&line.job, Event::Recording).is_some()
                    || recording.line(&line.job, Event::Pending).is_some()), "{:?}", recording);
            }
            prop_assert_eq!(recording.provider_copy_gone, archived && ledger.policy.delete_after.is_some());
        }
    }
}
