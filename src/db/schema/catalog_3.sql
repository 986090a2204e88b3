-- Limits of the reference views that a build may set, and the list of final references as a table for those who want one.
CREATE TABLE reference_limits (
    name  TEXT PRIMARY KEY,
    value REAL NOT NULL
);
INSERT INTO reference_limits (name, value)
VALUES ('goodref_snr_min', 50), ('goodref_alpha_min', -1.2), ('goodref_alpha_max', 0.2), ('finalref_snr_min', 80);
DROP VIEW final_references;
DROP VIEW good_references;
CREATE VIEW good_references AS
    SELECT * FROM sources
    WHERE snr_nvss >= (SELECT value FROM reference_limits WHERE name = 'goodref_snr_min')
      AND resolved_flag = 0 AND confusion_flag = 0
      AND alpha BETWEEN (SELECT value FROM reference_limits WHERE name = 'goodref_alpha_min')
                    AND (SELECT value FROM reference_limits WHERE name = 'goodref_alpha_max');
CREATE VIEW final_references AS
    SELECT * FROM good_references
    WHERE snr_nvss >= (SELECT value FROM reference_limits WHERE name = 'finalref_snr_min')
      AND (NOT EXISTS (SELECT 1 FROM stable_ids) OR source_id IN (SELECT source_id FROM stable_ids));
CREATE TABLE final_references_table (
    source_id TEXT PRIMARY KEY,
    ra_deg    REAL NOT NULL,
    dec_deg   REAL NOT NULL,
    s_nvss    REAL,
    snr_nvss  REAL,
    alpha     REAL
);
