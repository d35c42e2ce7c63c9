-- How far each account's recordings at the provider have been compared with the ledger: when the last complete scan began,
-- and of the one under way when it began, from where on it looks, and which page comes next.

CREATE TABLE scans (
  account_sid TEXT PRIMARY KEY,
  complete_at BIGINT,
  began_at BIGINT,
  since BIGINT,
  page TEXT
);
