-- A year's measurements go in at the rate of the first day's. Light-curve points lay sorted by source, so that every image wrote one
-- page for each of its sources. Now they lie as they come, and their index is sorted by source within four days only: a light curve is
-- ninety short searches a year instead of one.
ALTER TABLE photometry_timeseries RENAME TO photometry_timeseries_4;
CREATE TABLE photometry_timeseries (
    source_id         TEXT NOT NULL,
    mjd               REAL NOT NULL,
    image_path        TEXT NOT NULL,
    ra_deg            REAL,
    dec_deg           REAL,
    peak_jyb          REAL,
    peak_err_jyb      REAL,
    peak_norm         REAL,
    peak_norm_err     REAL,
    is_reference      INTEGER NOT NULL DEFAULT 0,
    flags             INTEGER NOT NULL DEFAULT 0,
    gain              REAL,
    gain_err          REAL,
    reference_sep_deg REAL,
    band_norm_ujy     TEXT,
    band_norm_err_ujy TEXT
);
INSERT INTO photometry_timeseries
    SELECT source_id, mjd, image_path, ra_deg, dec_deg, peak_jyb, peak_err_jyb, peak_norm, peak_norm_err, is_reference, flags,
           gain, gain_err, reference_sep_deg, band_norm_ujy, band_norm_err_ujy
    FROM photometry_timeseries_4 ORDER BY mjd, image_path, source_id;
DROP TABLE photometry_timeseries_4;
-- The expression is also in `Schema::conflict_prefix`.
CREATE UNIQUE INDEX photometry_timeseries_key
    ON photometry_timeseries (CAST(mjd / 4 AS INTEGER), source_id, mjd, image_path);
CREATE INDEX photometry_timeseries_mjd ON photometry_timeseries (mjd, image_path);

-- (The plus keeps the planner from walking all points in order of time to find one source's.)
-- Sources are found through their light curves; UNIQUE (image_path, source_id) does the rest.
DROP INDEX photometry_source;
DROP VIEW photometry_bands;
CREATE VIEW photometry_bands AS
    SELECT p.id AS photometry_id, t.source_id, t.image_path, +t.mjd AS mjd, f.key AS band, b.freq_hz, b.bandwidth_hz,
           f.value * 1e-6 AS flux_jy, e.value * 1e-6 AS flux_err_jy, p.flags
    FROM photometry_timeseries t
    CROSS JOIN photometry p ON p.image_path = t.image_path AND p.source_id = t.source_id
    JOIN json_each(p.band_flux_ujy) f
    JOIN json_each(p.band_err_ujy) e ON e.key = f.key
    LEFT JOIN image_bands b ON b.image_path = t.image_path AND b.band = f.key
    WHERE p.band_flux_ujy IS NOT NULL;

-- What the indices look like when there is something in them: the planner then skips from block to block of days (image to image)
-- for a source, instead of reading everything. ANALYZE replaces this by what it finds.
ANALYZE photometry_timeseries;
DELETE FROM sqlite_stat1 WHERE tbl IN ('photometry', 'photometry_timeseries');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('photometry_timeseries', 'photometry_timeseries_key', '2000000 20000 4 1 1'),
    ('photometry_timeseries', 'photometry_timeseries_mjd', '2000000 5000 12'),
    ('photometry', 'sqlite_autoindex_photometry_1', '2000000 5000 1');
ANALYZE sqlite_schema;
