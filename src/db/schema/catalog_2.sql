-- What the published catalogues say of size, error and other surveys.
ALTER TABLE sources ADD COLUMN flux_err_mjy REAL;
ALTER TABLE sources ADD COLUMN peak_mjy REAL;
ALTER TABLE sources ADD COLUMN pa_deg REAL;
ALTER TABLE sources ADD COLUMN s_first REAL;
ALTER TABLE sources ADD COLUMN s_racs REAL;
ALTER TABLE sources ADD COLUMN n_first INTEGER;
ALTER TABLE sources ADD COLUMN n_vlass INTEGER;
CREATE TABLE stable_ids (
    source_id TEXT PRIMARY KEY
);
-- With a list of stable sources only those are final references.
DROP VIEW final_references;
CREATE VIEW final_references AS
    SELECT * FROM good_references
    WHERE snr_nvss >= 80
      AND (NOT EXISTS (SELECT 1 FROM stable_ids) OR source_id IN (SELECT source_id FROM stable_ids));
