-- The one file of everything that must not be lost. Times are Unix milliseconds, ids are text.

CREATE TABLE workspaces (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE COLLATE NOCASE,
  timezone   TEXT NOT NULL,
  -- The hours in which nobody gets a text: {"from","to"}.
  quiet_hours   TEXT CHECK (json_valid(quiet_hours)),
  -- How many messages an automation may send in ten minutes.
  message_limit INTEGER NOT NULL DEFAULT 50,
  created_at INTEGER NOT NULL,
  -- The one to try things out in: nothing of it leaves this computer.
  is_practice INTEGER NOT NULL DEFAULT 0 CHECK (is_practice IN (0, 1))
) STRICT;

CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Types the owner declared; the built-in ones are in the program.
CREATE TABLE event_types (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  name         TEXT NOT NULL,
  label        TEXT NOT NULL,
  description  TEXT NOT NULL,
  schema       TEXT NOT NULL,
  example      TEXT NOT NULL,
  PRIMARY KEY (workspace_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_tokens (
  id           TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  name         TEXT NOT NULL,
  scope        TEXT NOT NULL CHECK (scope IN ('events', 'full')),
  hash         BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  last_four    TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  last_used_at INTEGER,
  revoked_at   INTEGER
) STRICT;

-- A deleted webhook stays, so that the log can name it; its secret is gone.
CREATE TABLE webhooks (
  id                    TEXT PRIMARY KEY,
  workspace_id          TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  name                  TEXT NOT NULL,
  url                   TEXT NOT NULL,
  events                TEXT NOT NULL CHECK (json_valid(events)),
  format                TEXT NOT NULL CHECK (format IN ('payload', 'envelope', 'slack', 'discord', 'teams', 'google_chat')),
  retry_attempts        INTEGER NOT NULL,
  retry_delay_ms        INTEGER NOT NULL,
  retry_schedule        TEXT NOT NULL CHECK (retry_schedule IN ('exponential', 'standard')),
  timeout_seconds       INTEGER NOT NULL,
  allow_private_network INTEGER NOT NULL CHECK (allow_private_network IN (0, 1)),
  filter                TEXT CHECK (json_valid(filter)),
  rate_limit            INTEGER,
  -- Names of own headers; their values are in the key store.
  header_names          TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(header_names)),
  paused_reason         TEXT CHECK (paused_reason IN ('by_owner', 'gone', 'failing')),
  paused_at             INTEGER,
  succeeded             INTEGER NOT NULL DEFAULT 0,
  failed                INTEGER NOT NULL DEFAULT 0,
  last_triggered_at     INTEGER,
  last_success_at       INTEGER,
  last_code             TEXT,
  last_args             TEXT,
  -- Tries that failed since the last success, and when the first of them was.
  failing_tries         INTEGER NOT NULL DEFAULT 0,
  failing_since         INTEGER,
  secret_created_at     INTEGER NOT NULL,
  -- The former secret is valid until then; null once it has left the key store.
  previous_secret_valid_until INTEGER,
  created_at            INTEGER NOT NULL,
  deleted_at            INTEGER
) STRICT;
CREATE INDEX webhooks_of_workspace ON webhooks (workspace_id) WHERE deleted_at IS NULL;

-- One row for each service the owner connected. Its secrets are in the key store, under its kind.
CREATE TABLE integrations (
  workspace_id      TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  kind              TEXT NOT NULL CHECK (kind IN ('email', 'sms', 'calendar', 'storage')),
  provider          TEXT NOT NULL,
  -- All that is no secret; its members are the kind's own.
  settings          TEXT NOT NULL CHECK (json_valid(settings)),
  is_active         INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  -- What happens meanwhile while it is not active.
  when_paused       TEXT NOT NULL CHECK (when_paused IN ('hold', 'skip')),
  -- What the provider wants of the owner before anything else goes out.
  needs             TEXT CHECK (needs IN ('needs_credentials', 'needs_setup', 'needs_sign_in')),
  last_tested       INTEGER,
  test_status       TEXT CHECK (test_status IN ('success', 'failed')),
  test_code         TEXT,
  test_args         TEXT,
  succeeded         INTEGER NOT NULL DEFAULT 0,
  failed            INTEGER NOT NULL DEFAULT 0,
  last_triggered_at INTEGER,
  last_success_at   INTEGER,
  last_code         TEXT,
  last_args         TEXT,
  failing_tries     INTEGER NOT NULL DEFAULT 0,
  failing_since     INTEGER,
  created_at        INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, kind)
) STRICT, WITHOUT ROWID;

-- What is done when something happens. A removed one stays, so that the log can name it.
CREATE TABLE automations (
  id           TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  name         TEXT NOT NULL,
  kind         TEXT NOT NULL CHECK (kind IN ('email', 'sms', 'calendar', 'storage')),
  is_active    INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  -- All but name and texts.
  settings     TEXT NOT NULL CHECK (json_valid(settings)),
  -- The version of its texts that is used now.
  version      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  deleted_at   INTEGER
) STRICT;
CREATE INDEX automations_of_workspace ON automations (workspace_id) WHERE deleted_at IS NULL;

CREATE TABLE automation_versions (
  automation_id TEXT NOT NULL REFERENCES automations (id) ON DELETE CASCADE,
  version       INTEGER NOT NULL,
  action        TEXT NOT NULL CHECK (json_valid(action)),
  restored_from INTEGER,
  created_at    INTEGER NOT NULL,
  PRIMARY KEY (automation_id, version)
) STRICT, WITHOUT ROWID;

-- An event's and a delivery's id carry `seq` (see ids.rs): it is found without an index.
CREATE TABLE events (
  seq             INTEGER PRIMARY KEY,
  id              TEXT NOT NULL,
  workspace_id    TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  type            TEXT NOT NULL,
  subject         TEXT,
  occurred_at     INTEGER NOT NULL,
  received_at     INTEGER NOT NULL,
  source          TEXT NOT NULL,
  -- Exactly as handed in, and its SHA-256, which is checked before the bytes are used.
  data            BLOB NOT NULL,
  data_sha256     BLOB NOT NULL CHECK (length(data_sha256) = 32),
  -- When its texts were removed for their age; `data` is empty from then on.
  purged_at       INTEGER,
  idempotency_key TEXT,
  fingerprint     BLOB,
  -- The deliveries that were queued with it: so many rows from the first on.
  deliveries      INTEGER NOT NULL,
  first_delivery  INTEGER NOT NULL
) STRICT;
CREATE INDEX events_of_workspace ON events (workspace_id, seq);
CREATE UNIQUE INDEX events_by_key ON events (workspace_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- The row is the queue and the log. (Words are checked one by one: for IN with a list SQLite builds
-- a table at every row.)
CREATE TABLE deliveries (
  seq           INTEGER PRIMARY KEY,
  id            TEXT NOT NULL,
  workspace_id  TEXT NOT NULL,
  -- The event's row. No foreign key: to look whether one is kept would need an index of all.
  event_seq     INTEGER NOT NULL,
  channel       TEXT NOT NULL CHECK (channel = 'webhook' OR channel = 'email' OR channel = 'sms' OR channel = 'calendar' OR channel = 'storage'),
  -- Where it goes: the webhook's id; for an integration its kind and workspace, `email.ws_…`.
  endpoint      TEXT NOT NULL,
  event_type    TEXT NOT NULL,
  subject       TEXT,
  recipient     TEXT NOT NULL,
  status        TEXT NOT NULL CHECK (status = 'sending' OR status = 'success' OR status = 'pending' OR status = 'held' OR status = 'failed' OR status = 'unknown' OR status = 'skipped' OR status = 'cancelled'),
  status_reason TEXT,
  is_test       INTEGER NOT NULL DEFAULT 0 CHECK (is_test IN (0, 1)),
  -- The first of those that say the same, and the row of the replay that queued this one.
  replay_of     TEXT,
  replay        INTEGER,
  trigger       TEXT NOT NULL DEFAULT 'auto' CHECK (trigger = 'auto' OR trigger = 'manual' OR trigger = 'replay' OR trigger = 'test'),
  due_at        INTEGER,
  -- 1 while an earlier delivery about the same subject is waited for; due_at is then the latest moment.
  after_earlier INTEGER NOT NULL DEFAULT 0 CHECK (after_earlier IN (0, 1)),
  -- The number of the attempt that is under way: only it may move this row.
  lease         INTEGER,
  lease_until   INTEGER,
  -- It was accepted, and its final status is asked for at this time.
  check_at      INTEGER,
  attempts      INTEGER NOT NULL DEFAULT 0,
  -- Attempts that count towards the schedule: not those that ended offline or with the process.
  tries         INTEGER NOT NULL DEFAULT 0,
  status_code   INTEGER,
  code          TEXT,
  args          TEXT,
  duration_ms   INTEGER,
  created_at    INTEGER NOT NULL,
  finished_at   INTEGER,
  delivered_at  INTEGER,
  -- What the provider calls it: a message id, an entry, a key.
  provider_id   TEXT,
  -- The automation that made it, and the version of its texts.
  automation_id      TEXT,
  automation_version INTEGER,
  -- Its own time, until that has come: it waits for nobody and nobody waits for it.
  not_before    INTEGER,
  -- From then on there is no point in it.
  expires_at    INTEGER,
  -- Since when the first of the changes that it stands for had waited for another one.
  gathered_since INTEGER,
  CHECK ((status = 'pending') = (due_at IS NOT NULL)),
  CHECK ((status = 'sending') = (lease IS NOT NULL OR check_at IS NOT NULL)),
  CHECK ((status = 'sending' OR status = 'pending' OR status = 'held' OR status = 'unknown') = (finished_at IS NULL))
) STRICT;
-- What is sent again comes after what happens now.
CREATE INDEX deliveries_due ON deliveries (endpoint, (replay IS NOT NULL), due_at, seq) WHERE status = 'pending';
CREATE INDEX deliveries_by_provider_id ON deliveries (endpoint, provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX deliveries_to_check ON deliveries (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX deliveries_open ON deliveries (endpoint, subject, seq, not_before)
  WHERE subject IS NOT NULL AND finished_at IS NULL;
CREATE INDEX deliveries_not_through ON deliveries (workspace_id, status, seq) WHERE status <> 'success';
-- What needs the owner: few rows, however long the log is. With a reason it does not any more. (All
-- columns that are asked about, so that the rows themselves need not be read.)
CREATE INDEX deliveries_given_up ON deliveries (endpoint, finished_at, code, status, is_test, status_reason)
  WHERE status = 'failed' AND is_test = 0 AND status_reason IS NULL;
CREATE INDEX deliveries_held ON deliveries (endpoint, status_reason, created_at) WHERE status = 'held';
CREATE INDEX deliveries_of_workspace ON deliveries (workspace_id, seq);
CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint, seq);
CREATE INDEX deliveries_again ON deliveries (event_seq) WHERE replay_of IS NOT NULL;
-- What an automation did, and what of it waits. (All columns that are counted by.)
CREATE INDEX deliveries_of_automation ON deliveries (automation_id, created_at, status, status_reason, automation_version, is_test)
  WHERE automation_id IS NOT NULL;
CREATE INDEX deliveries_of_automation_open ON deliveries (automation_id, status, seq)
  WHERE automation_id IS NOT NULL AND finished_at IS NULL;
CREATE INDEX deliveries_of_replay ON deliveries (replay, status, attempts) WHERE replay IS NOT NULL;

-- What a call says where that is not the event's data itself: made once, sent unchanged ever after.
CREATE TABLE bodies (
  delivery_seq INTEGER PRIMARY KEY REFERENCES deliveries (seq) ON DELETE CASCADE,
  body         BLOB NOT NULL,
  sha256       BLOB NOT NULL CHECK (length(sha256) = 32)
) STRICT;

CREATE TABLE attempts (
  delivery_seq       INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
  number             INTEGER NOT NULL,
  trigger            TEXT NOT NULL CHECK (trigger = 'auto' OR trigger = 'manual' OR trigger = 'replay' OR trigger = 'test'),
  started_at         INTEGER NOT NULL,
  finished_at        INTEGER,
  duration_ms        INTEGER,
  status_code        INTEGER,
  code               TEXT,
  args               TEXT,
  request_url        TEXT,
  -- When it was signed; the headers of a call follow from this, the event and the type.
  signed_at          INTEGER,
  -- Own headers and what a change of secret adds, masked.
  further_headers    TEXT,
  response_headers   TEXT,
  response_body      BLOB,
  response_truncated INTEGER NOT NULL DEFAULT 0 CHECK (response_truncated IN (0, 1)),
  PRIMARY KEY (delivery_seq, number)
) STRICT, WITHOUT ROWID;

-- Many sent again: which, how far, how many.
CREATE TABLE replays (
  seq          INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  filter       TEXT NOT NULL CHECK (json_valid(filter)),
  -- The same bytes as the first time, or texts made anew.
  content      TEXT NOT NULL CHECK (content IN ('original', 'current')),
  -- Rows above it were not there when it began; those up to the position have had their turn.
  bound        INTEGER NOT NULL,
  position     INTEGER NOT NULL DEFAULT 0,
  -- The replays that ran when it began, and where each stood: what is theirs is left to them.
  beside       TEXT NOT NULL CHECK (json_valid(beside)),
  total        INTEGER NOT NULL,
  queued       INTEGER NOT NULL DEFAULT 0,
  per_minute   INTEGER,
  next_at      INTEGER NOT NULL,
  started_at   INTEGER NOT NULL,
  queued_at    INTEGER,
  cancelled_at INTEGER
) STRICT;
CREATE INDEX replays_of_workspace ON replays (workspace_id, started_at);
CREATE INDEX replays_going ON replays (seq) WHERE queued_at IS NULL;
-- Calendar entries that we wrote, as they were after our last write: sums of what each says, by member,
-- tell what was changed elsewhere.
CREATE TABLE calendar_entries (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  entry_id     TEXT NOT NULL,
  calendar_id  TEXT NOT NULL,
  title        TEXT NOT NULL,
  starts_at    INTEGER,
  link         TEXT,
  seen         TEXT NOT NULL,
  PRIMARY KEY (workspace_id, entry_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX calendar_entries_next ON calendar_entries (workspace_id, starts_at);

-- Files that a storage gets in parts, until it has them whole: whoever began one and died left its parts there.
CREATE TABLE unfinished_uploads (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  key          TEXT NOT NULL,
  bucket       TEXT NOT NULL,
  -- Unknown from before the storage is asked until it has answered.
  upload_id    TEXT,
  process      TEXT NOT NULL,
  PRIMARY KEY (workspace_id, key)
) STRICT, WITHOUT ROWID;

-- What ended, per endpoint and quarter of an hour: every zone's days begin on one.
CREATE TABLE tallies (
  endpoint  TEXT NOT NULL,
  quarter   INTEGER NOT NULL,
  succeeded INTEGER NOT NULL DEFAULT 0,
  failed    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (endpoint, quarter)
) STRICT, WITHOUT ROWID;

-- Stays away until its cause happens anew.
CREATE TABLE dismissed_problems (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  problem      TEXT NOT NULL,
  at           INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, problem)
) STRICT, WITHOUT ROWID;

-- Of the last week.
CREATE TABLE solved_problems (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  at           INTEGER NOT NULL,
  how          TEXT NOT NULL,
  who          TEXT NOT NULL,
  deliveries   INTEGER NOT NULL
) STRICT;
CREATE INDEX solved_problems_of_workspace ON solved_problems (workspace_id, at);

CREATE VIEW webhook_logs (webhook, event, payload, status, status_code, attempts) AS
  SELECT w.name, d.event_type, CASE WHEN e.purged_at IS NULL THEN CAST(coalesce(b.body, e.data) AS TEXT) END, d.status, d.status_code, d.attempts
  FROM deliveries d JOIN events e ON e.seq = d.event_seq JOIN webhooks w ON w.id = d.endpoint
  LEFT JOIN bodies b ON b.delivery_seq = d.seq
  WHERE d.channel = 'webhook';
