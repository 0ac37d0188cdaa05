CREATE TABLE event_data_store (
    id       TEXT PRIMARY KEY,
    arn      TEXT NOT NULL,
    name     TEXT NOT NULL UNIQUE COLLATE NOCASE,
    category TEXT NOT NULL,
    -- What `$EDS_ID` and the absence of a name stand for, one a category.
    standard INTEGER NOT NULL,
    created  INTEGER NOT NULL
);

-- One a commit. `manifest` names the file under commits/ that repeats what the commit did.
CREATE TABLE snapshot (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    created  INTEGER NOT NULL,
    manifest TEXT NOT NULL UNIQUE
);

-- A file is seen by the snapshots from `first` on, and before `last` where that is set.
CREATE TABLE data_file (
    path             TEXT PRIMARY KEY,
    event_data_store TEXT NOT NULL REFERENCES event_data_store,
    first            INTEGER NOT NULL REFERENCES snapshot,
    last             INTEGER REFERENCES snapshot,
    bytes            INTEGER NOT NULL,
    rows             INTEGER NOT NULL,
    json_bytes       INTEGER NOT NULL,
    min_time         INTEGER,
    max_time         INTEGER,
    columns          TEXT NOT NULL
);
CREATE INDEX data_file_time ON data_file (event_data_store, min_time, max_time);

CREATE TABLE folder (
    id   INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE
);

-- The ledger: what became of every log file.
CREATE TABLE log_file (
    event_data_store TEXT NOT NULL REFERENCES event_data_store,
    folder           INTEGER NOT NULL REFERENCES folder,
    name             TEXT NOT NULL,
    version          TEXT NOT NULL,
    snapshot         INTEGER NOT NULL REFERENCES snapshot,
    bytes            INTEGER NOT NULL,
    inflated         INTEGER NOT NULL,
    sha256           BLOB NOT NULL,
    fate             TEXT NOT NULL,
    reason           TEXT,
    records          INTEGER NOT NULL,
    broken           INTEGER NOT NULL,
    -- Indexes of the records that were dropped as duplicates: ascending, differences as LEB128.
    duplicates       BLOB NOT NULL,
    PRIMARY KEY (event_data_store, folder, name, version)
) WITHOUT ROWID;

CREATE TABLE broken_record (
    event_data_store TEXT NOT NULL,
    folder           INTEGER NOT NULL,
    name             TEXT NOT NULL,
    version          TEXT NOT NULL,
    record           INTEGER NOT NULL,
    offset           INTEGER NOT NULL,
    reason           TEXT NOT NULL
);

-- Events that share an eventID and account with another but differ from it; all of them are kept.
CREATE TABLE conflict (
    event_data_store TEXT NOT NULL,
    path             TEXT NOT NULL,
    record           INTEGER NOT NULL,
    snapshot         INTEGER NOT NULL
);
