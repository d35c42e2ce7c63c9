-- What it takes, besides the private key, to open a recording that the provider encrypted: JSON.

ALTER TABLE recordings ADD COLUMN encryption TEXT;
