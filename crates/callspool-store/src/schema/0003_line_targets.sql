-- Where a recording went that has left the job's call, in the line that says so.
ALTER TABLE lines ADD COLUMN moved_to TEXT;
