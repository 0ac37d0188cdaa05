-- From format 1 to format 2: what digests vouch for, and what verifying them found.

-- Hash of the inflated bytes, and of the first gzip member's alone if there are several. NULL where a file could not be
-- inflated, and where it was taken in before this format.
ALTER TABLE log_file ADD COLUMN content BLOB;
ALTER TABLE log_file ADD COLUMN first_member BLOB;

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
