package sqlite

// migrations are the steps from an empty file to the present schema; step n makes version n+1. A step is never changed once it has been released.
//
// Times are microseconds since 1970. States and priorities are the places in the lists states and priorities. A job's RunAt less its class's
// lead is its place in the queue: within a class the order is that of run_at.
var migrations = [...]string{`
CREATE TABLE jobs (
  seq       INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of arrival, which lists have
  id        TEXT NOT NULL UNIQUE,
  tenant    TEXT NOT NULL,
  model     TEXT NOT NULL,
  priority  INTEGER NOT NULL,
  state     INTEGER NOT NULL,
  run_at    INTEGER NOT NULL,
  deadline  INTEGER,
  lease_end INTEGER,                           -- of a running job
  sweep_at  INTEGER,                           -- of a final job
  ttl       INTEGER NOT NULL,
  total     INTEGER NOT NULL,
  done      INTEGER NOT NULL DEFAULT 0,
  bad       INTEGER NOT NULL DEFAULT 0,
  attempt   INTEGER NOT NULL DEFAULT 0,
  fence     INTEGER NOT NULL DEFAULT 0,
  started   INTEGER,
  finished  INTEGER,
  canceled  INTEGER NOT NULL DEFAULT 0,
  told      INTEGER NOT NULL,
  hook      INTEGER NOT NULL,                  -- there is a webhook
  key       TEXT,
  problem   TEXT
) STRICT;
CREATE UNIQUE INDEX jobs_key ON jobs (tenant, key) WHERE key IS NOT NULL;
CREATE INDEX jobs_due ON jobs (priority, run_at) WHERE state = 0;
CREATE INDEX jobs_deadline ON jobs (deadline) WHERE state = 0 AND deadline IS NOT NULL;
CREATE INDEX jobs_lease ON jobs (lease_end) WHERE state = 1;
CREATE INDEX jobs_sweep ON jobs (sweep_at) WHERE sweep_at IS NOT NULL;
CREATE INDEX jobs_untold ON jobs (told) WHERE told = 0 AND sweep_at IS NOT NULL;
CREATE INDEX jobs_state ON jobs (state, priority);
CREATE INDEX jobs_model ON jobs (model, state, priority);
CREATE INDEX jobs_tenant ON jobs (tenant, state, priority);
CREATE INDEX jobs_tenant_model ON jobs (tenant, model, state, priority);

-- What does not change and may be long is apart from what changes often.
CREATE TABLE specs (seq INTEGER PRIMARY KEY, spec BLOB NOT NULL, items BLOB NOT NULL) STRICT;

CREATE TABLE results (
  seq  INTEGER NOT NULL,
  n    INTEGER NOT NULL, -- the order in which they were done, from 0, without gaps
  item INTEGER NOT NULL,
  bad  INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX results_item ON results (seq, item);

-- Jobs that are swept: nobody sees them any more, and what they have left is deleted bit by bit.
CREATE TABLE trash (seq INTEGER PRIMARY KEY) STRICT;

CREATE TABLE blobs (
  n      INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,
  size   INTEGER NOT NULL,
  put    INTEGER NOT NULL,           -- when it was last put
  refs   INTEGER NOT NULL DEFAULT 0, -- jobs that name it
  file   TEXT                        -- its name in the folder; NULL: the bytes are in blob_data
) STRICT;
CREATE INDEX blobs_free ON blobs (put) WHERE refs = 0;
CREATE TABLE blob_data (n INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;

CREATE TABLE counts (priority INTEGER NOT NULL, state INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (priority, state)) STRICT, WITHOUT ROWID;
INSERT INTO counts SELECT p.value, s.value, 0 FROM json_each('[0,1,2]') p, json_each('[0,1,2,3,4,5]') s;
CREATE TABLE totals (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL) STRICT;
INSERT INTO totals VALUES (1, 0);
CREATE TRIGGER jobs_in AFTER INSERT ON jobs BEGIN
  UPDATE counts SET n = n + 1 WHERE priority = NEW.priority AND state = NEW.state;
END;
CREATE TRIGGER jobs_moved AFTER UPDATE OF state ON jobs WHEN OLD.state <> NEW.state BEGIN
  UPDATE counts SET n = n - 1 WHERE priority = OLD.priority AND state = OLD.state;
  UPDATE counts SET n = n + 1 WHERE priority = NEW.priority AND state = NEW.state;
END;
CREATE TRIGGER jobs_out AFTER DELETE ON jobs BEGIN
  UPDATE counts SET n = n - 1 WHERE priority = OLD.priority AND state = OLD.state;
END;
CREATE TRIGGER blobs_in AFTER INSERT ON blobs BEGIN UPDATE totals SET bytes = bytes + NEW.size; END;
CREATE TRIGGER blobs_out AFTER DELETE ON blobs BEGIN UPDATE totals SET bytes = bytes - OLD.size; END;
`, `
ALTER TABLE jobs ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0; -- leases in a row that ended without a result
`}

// applicationID marks the files of this package: "TGjb".
const applicationID = 0x54476a62
