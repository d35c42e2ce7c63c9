-- Text is compared byte by byte on both databases. Times are microseconds since 1970.
-- {event_number} and {unnumbered_events} differ by database; see migrations.rs.

CREATE TABLE calls (
  call_sid TEXT PRIMARY KEY,
  account_sid TEXT,
  parent_sid TEXT,
  job_id TEXT,
  tied_by TEXT,
  source TEXT,
  duration_seconds BIGINT,
  created_at BIGINT NOT NULL,
  plan_due_at BIGINT
);
CREATE INDEX calls_newest ON calls (created_at, call_sid);
CREATE INDEX calls_of_job ON calls (job_id, created_at, call_sid) WHERE job_id IS NOT NULL;
CREATE INDEX calls_to_plan ON calls (plan_due_at) WHERE plan_due_at IS NOT NULL;

CREATE TABLE recordings (
  recording_sid TEXT PRIMARY KEY,
  account_sid TEXT NOT NULL,
  call_sid TEXT NOT NULL REFERENCES calls (call_sid),
  status TEXT NOT NULL,
  reason TEXT,
  provider_status TEXT NOT NULL,
  provider_source TEXT,
  track TEXT NOT NULL,
  duration_seconds BIGINT,
  channels BIGINT,
  error_code BIGINT,
  encrypted BOOLEAN NOT NULL,
  started_at BIGINT,
  announced_at BIGINT NOT NULL
);
CREATE INDEX recordings_newest ON recordings (announced_at, recording_sid);
CREATE INDEX recordings_of_call ON recordings (call_sid, announced_at, recording_sid);
CREATE INDEX recordings_of_account ON recordings (account_sid, announced_at, recording_sid);
CREATE INDEX recordings_in_status ON recordings (status, announced_at, recording_sid);
CREATE INDEX recordings_in_provider_status ON recordings (provider_status, announced_at, recording_sid);

CREATE TABLE copies (
  recording_sid TEXT NOT NULL REFERENCES recordings (recording_sid),
  place TEXT NOT NULL,
  state TEXT NOT NULL,
  object_key TEXT UNIQUE,
  bytes BIGINT,
  sha256 TEXT,
  crc64 TEXT,
  audio TEXT,
  findings TEXT,
  verified_at BIGINT,
  verified_by TEXT,
  accepted_at BIGINT,
  gone_at BIGINT,
  bad_sha256 TEXT,
  bad_since BIGINT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (recording_sid, place)
);

CREATE TABLE callbacks (
  digest TEXT PRIMARY KEY,
  recording_sid TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  fields TEXT NOT NULL
);

CREATE TABLE jobs (
  job_id TEXT PRIMARY KEY,
  record_id TEXT,
  job_history TEXT NOT NULL,
  url TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX jobs_newest ON jobs (created_at, job_id);

CREATE TABLE lines (
  job_id TEXT NOT NULL,
  recording_sid TEXT NOT NULL,
  event TEXT NOT NULL,
  state TEXT NOT NULL,
  source TEXT NOT NULL,
  owed_at BIGINT NOT NULL,
  confirmed_at BIGINT,
  PRIMARY KEY (job_id, recording_sid, event)
);
CREATE INDEX lines_owed ON lines (job_id, owed_at) WHERE state = 'owed';
CREATE INDEX lines_of_recording ON lines (recording_sid, job_id);

-- A step's id is made of its name and its subject, so the key also keeps each subject to one step of a name.
CREATE TABLE steps (
  step_id TEXT PRIMARY KEY,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  due_at BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  owner TEXT,
  claim_id TEXT,
  lease_until BIGINT,
  closed_attempt BIGINT,
  closed_as TEXT,
  failures BIGINT NOT NULL,
  code TEXT,
  detail TEXT,
  service TEXT,
  jitter BIGINT NOT NULL,
  misses BIGINT NOT NULL,
  first_miss_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE INDEX steps_due ON steps (name, due_at, step_id, code) WHERE state = 'waiting';
CREATE INDEX steps_running ON steps (name, lease_until, code, due_at) WHERE state = 'running';
CREATE INDEX steps_parked ON steps (name, code, due_at) WHERE state = 'parked';
CREATE INDEX steps_after_failure ON steps (due_at, step_id) WHERE state = 'waiting' AND code IS NOT NULL;
CREATE INDEX steps_of_service ON steps (service, name, due_at) WHERE state = 'waiting' AND service IS NOT NULL;

CREATE TABLE services (
  service TEXT PRIMARY KEY,
  down_since BIGINT,
  code TEXT NOT NULL,
  detail TEXT NOT NULL,
  probe_at BIGINT NOT NULL
);

CREATE TABLE events (
  {event_number},
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  recording_sid TEXT,
  call_sid TEXT,
  job_id TEXT,
  actor TEXT,
  data TEXT NOT NULL
);
CREATE INDEX events_of_recording ON events (recording_sid, seq) WHERE recording_sid IS NOT NULL;
CREATE INDEX events_of_kind ON events (kind, seq);
{unnumbered_events}

CREATE TABLE counters (
  name TEXT NOT NULL,
  shard BIGINT NOT NULL,
  value BIGINT NOT NULL,
  PRIMARY KEY (name, shard)
);

CREATE TABLE exclusive_keys (
  name TEXT PRIMARY KEY
);
INSERT INTO exclusive_keys (name) VALUES ('records');

CREATE TABLE rate_limits (
  name TEXT PRIMARY KEY,
  next_at BIGINT NOT NULL
);

CREATE TABLE tokens (
  token_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  revoked_at BIGINT
);

CREATE TABLE sessions (
  hash TEXT PRIMARY KEY,
  token_id TEXT NOT NULL REFERENCES tokens (token_id),
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_of_token ON sessions (token_id);
CREATE INDEX sessions_expiring ON sessions (expires_at);

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
