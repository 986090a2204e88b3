-- What the lens fit found, and what people say of candidates.
ALTER TABLE variability_stats ADD COLUMN log_bf_lens REAL;
ALTER TABLE variability_stats ADD COLUMN modulation_index REAL;
ALTER TABLE variability_stats ADD COLUMN von_neumann REAL;
ALTER TABLE variability_stats ADD COLUMN timescale_days REAL;
ALTER TABLE variability_stats ADD COLUMN asymmetry REAL;

ALTER TABLE ese_candidates ADD COLUMN log_bf_lens REAL;
ALTER TABLE ese_candidates ADD COLUMN depth REAL;
ALTER TABLE ese_candidates ADD COLUMN mjd_start REAL;
ALTER TABLE ese_candidates ADD COLUMN mjd_end REAL;
ALTER TABLE ese_candidates ADD COLUMN in_progress INTEGER;
-- JSON: strength, crossing time, source size and their errors.
ALTER TABLE ese_candidates ADD COLUMN lens TEXT;

-- What one author says of one source; a vote can be changed, a tag is there once.
CREATE TABLE candidate_notes (
    id         INTEGER PRIMARY KEY,
    source_id  TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('vote', 'tag', 'comment')),
    author     TEXT NOT NULL CHECK (length(author) > 0),
    body       TEXT NOT NULL CHECK (length(body) > 0),
    created_at REAL NOT NULL,
    CHECK (kind <> 'vote' OR body IN ('up', 'down'))
);
CREATE INDEX candidate_notes_source ON candidate_notes (source_id);
CREATE UNIQUE INDEX candidate_notes_vote ON candidate_notes (source_id, author) WHERE kind = 'vote';
CREATE UNIQUE INDEX candidate_notes_tag ON candidate_notes (source_id, body) WHERE kind = 'tag';
