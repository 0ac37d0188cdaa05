-- Spans of days that were listed for good, by the folder that the years are in; only a way to list less.
CREATE TABLE IF NOT EXISTS settled (
    event_data_store TEXT NOT NULL REFERENCES event_data_store,
    folder           TEXT NOT NULL,
    first            TEXT NOT NULL,
    last             TEXT NOT NULL,
    PRIMARY KEY (event_data_store, folder, first)
) WITHOUT ROWID;

-- Log files that were taken in and are not where they were any more; their events stay.
CREATE TABLE IF NOT EXISTS gone (
    event_data_store TEXT NOT NULL REFERENCES event_data_store,
    path             TEXT NOT NULL,
    noticed          INTEGER NOT NULL,
    how              TEXT NOT NULL,
    PRIMARY KEY (event_data_store, path)
) WITHOUT ROWID;
