-- What the provider's call events and voice requests say of a call.

ALTER TABLE calls ADD COLUMN status TEXT;
ALTER TABLE calls ADD COLUMN direction TEXT;
ALTER TABLE calls ADD COLUMN from_number TEXT;
ALTER TABLE calls ADD COLUMN to_number TEXT;
