-- Ingest queue: one row an observation, one row a subband file. Times are Unix seconds.
CREATE TABLE ingest_queue (
    group_id          TEXT PRIMARY KEY,
    state             TEXT NOT NULL CHECK (state IN ('collecting', 'pending', 'in_progress', 'completed', 'failed')),
    received_at       REAL NOT NULL,
    last_update       REAL NOT NULL,
    expected_subbands INTEGER NOT NULL DEFAULT 16,
    retry_count       INTEGER NOT NULL DEFAULT 0,
    error             TEXT,
    checkpoint_path   TEXT,
    processing_stage  TEXT NOT NULL DEFAULT 'collecting',
    chunk_minutes     REAL,
    has_calibrator    INTEGER,
    calibrators       TEXT
);
CREATE INDEX ingest_queue_state ON ingest_queue (state, group_id);

CREATE TABLE subband_files (
    group_id    TEXT NOT NULL,
    subband_idx INTEGER NOT NULL CHECK (subband_idx >= 0),
    path        TEXT NOT NULL UNIQUE,
    PRIMARY KEY (group_id, subband_idx)
);

CREATE TABLE performance_metrics (
    group_id    TEXT PRIMARY KEY,
    load_time   REAL,
    phase_time  REAL,
    write_time  REAL,
    total_time  REAL,
    writer_type TEXT,
    recorded_at REAL NOT NULL
);

-- What a run has finished: a stage of a group is done when its row says so and its products exist.
CREATE TABLE stage_runs (
    group_id    TEXT NOT NULL,
    stage       TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'skipped')),
    started_at  REAL NOT NULL,
    finished_at REAL,
    wall_s      REAL,
    cpu_s       REAL,
    peak_rss_mb REAL,
    fingerprint TEXT,
    outputs     TEXT,
    error       TEXT,
    PRIMARY KEY (group_id, stage)
);

CREATE TABLE dead_letter_queue (
    id              INTEGER PRIMARY KEY,
    component       TEXT NOT NULL,
    operation       TEXT NOT NULL,
    error_type      TEXT NOT NULL,
    error_message   TEXT NOT NULL,
    context_json    TEXT,
    created_at      REAL NOT NULL,
    retry_count     INTEGER NOT NULL DEFAULT 0,
    status          TEXT NOT NULL DEFAULT 'pending',
    resolved_at     REAL,
    resolution_note TEXT
);
