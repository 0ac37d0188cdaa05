-- Format 3: like events together in data files, shorter identities, statistics in bytes, files that were merged. There is
-- no way from an older store to it, so the table is empty.

DROP TABLE data_file;

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
