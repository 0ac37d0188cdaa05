CREATE TABLE event_data_store (
    id       TEXT PRIMARY KEY,
    arn      TEXT NOT NULL,
    name     TEXT NOT NULL UNIQUE COLLATE NOCASE,
    category TEXT NOT NULL,
    -- What `$EDS_ID` and the absence of a name stand for, one a category.
    standard INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    -- Columns and keys of columns that do not tell of every event what its record says, as deviations.rs writes them.
    deviations TEXT NOT NULL DEFAULT '{}'
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
    -- No snapshot that sees it was held any more, and so it is gone from the disk.
    removed          INTEGER NOT NULL DEFAULT 0,
    bytes            INTEGER NOT NULL,
    rows             INTEGER NOT NULL,
    json_bytes       INTEGER NOT NULL,
    min_time         INTEGER,
    max_time         INTEGER,
    -- Statistics of the columns, as statistics.rs encodes them.
    columns          BLOB NOT NULL
);
CREATE INDEX data_file_time ON data_file (event_data_store, max_time, min_time);
CREATE INDEX data_file_first ON data_file (event_data_store, first);
CREATE INDEX data_file_last ON data_file (last) WHERE last IS NOT NULL;

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
    -- Hash of the inflated bytes, and of the first gzip member's alone if there are several; NULL where the file could not be
    -- inflated.
    content          BLOB,
    first_member     BLOB,
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

-- Digest files as they were stored, with what their S3 metadata says of their signature.
CREATE TABLE digest_file (
    folder    INTEGER NOT NULL REFERENCES folder,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,
    snapshot  INTEGER NOT NULL REFERENCES snapshot,
    body      BLOB NOT NULL,
    signature TEXT,
    algorithm TEXT,
    generated TEXT,
    PRIMARY KEY (folder, name, version)
);

-- CloudTrail's public keys (PKCS#1, DER), with which the digests were verified.
CREATE TABLE public_key (
    fingerprint TEXT PRIMARY KEY,
    der         BLOB NOT NULL,
    valid_from  INTEGER,
    valid_until INTEGER
);

-- The last verification, and what it found. `version` is empty where there is no file: of what is missing.
CREATE TABLE verification (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    created  INTEGER NOT NULL,
    -- The snapshot that was verified.
    snapshot INTEGER NOT NULL
);
CREATE TABLE verdict (
    object  TEXT NOT NULL,
    folder  INTEGER NOT NULL REFERENCES folder,
    name    TEXT NOT NULL,
    version TEXT NOT NULL,
    verdict TEXT NOT NULL,
    reason  TEXT,
    -- The digest that names a log file.
    digest  TEXT,
    PRIMARY KEY (object, folder, name, version)
) WITHOUT ROWID;
CREATE TABLE hour_verdict (
    account   TEXT NOT NULL,
    region    TEXT NOT NULL,
    hour      INTEGER NOT NULL,
    verdict   TEXT NOT NULL,
    reason    TEXT,
    digests   INTEGER NOT NULL,
    log_files INTEGER NOT NULL,
    PRIMARY KEY (account, region, hour)
) WITHOUT ROWID;
