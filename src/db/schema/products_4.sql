-- What each source was judged to be, and of which points: the same points need not be judged again.
CREATE TABLE judgements (
    source_id   TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    -- JSON, as judge_curves returns it.
    judgement   TEXT NOT NULL
) WITHOUT ROWID;
