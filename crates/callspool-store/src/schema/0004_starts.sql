-- Calls that are recorded by a request of ours: which voices, what was being recorded before we asked, what came of it;
-- the container that is fetched; and which recordings we started and stopped.

ALTER TABLE calls ADD COLUMN format TEXT;
ALTER TABLE calls ADD COLUMN record_track TEXT;
ALTER TABLE calls ADD COLUMN record_before TEXT;
ALTER TABLE calls ADD COLUMN record_outcome TEXT;
ALTER TABLE recordings ADD COLUMN started_by TEXT;
ALTER TABLE recordings ADD COLUMN stopped_at BIGINT;
