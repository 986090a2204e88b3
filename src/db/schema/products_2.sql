-- Measurements to the full: limits in a column of their own, bands packed in the row and unpacked by a view, gain model and
-- flux scale of each epoch, positions of sources for cones.
ALTER TABLE photometry ADD COLUMN upper_limit_jy REAL;
ALTER TABLE photometry ADD COLUMN peak_fit_err_jyb REAL;
ALTER TABLE photometry ADD COLUMN chi2 REAL;
ALTER TABLE photometry ADD COLUMN dof REAL;
ALTER TABLE photometry ADD COLUMN cluster_id INTEGER;
ALTER TABLE photometry ADD COLUMN x_deg REAL;
ALTER TABLE photometry ADD COLUMN y_deg REAL;
-- JSON lists in microjansky, one entry a band in the order of image_bands, null where nothing was measured.
ALTER TABLE photometry ADD COLUMN band_flux_ujy TEXT;
ALTER TABLE photometry ADD COLUMN band_err_ujy TEXT;

CREATE TABLE image_bands (
    image_path       TEXT NOT NULL,
    band             INTEGER NOT NULL,
    path             TEXT,
    freq_hz          REAL NOT NULL,
    bandwidth_hz     REAL,
    beam_major_arcsec REAL,
    beam_minor_arcsec REAL,
    beam_pa_deg      REAL,
    noise_jy         REAL,
    PRIMARY KEY (image_path, band)
) WITHOUT ROWID;

CREATE VIEW photometry_bands AS
    SELECT p.id AS photometry_id, p.source_id, p.image_path, p.mjd, f.key AS band, b.freq_hz, b.bandwidth_hz,
           f.value * 1e-6 AS flux_jy, e.value * 1e-6 AS flux_err_jy, p.flags
    FROM photometry p
    JOIN json_each(p.band_flux_ujy) f
    JOIN json_each(p.band_err_ujy) e ON e.key = f.key
    LEFT JOIN image_bands b ON b.image_path = p.image_path AND b.band = f.key
    WHERE p.band_flux_ujy IS NOT NULL;

ALTER TABLE photometry_timeseries ADD COLUMN gain REAL;
ALTER TABLE photometry_timeseries ADD COLUMN gain_err REAL;
ALTER TABLE photometry_timeseries ADD COLUMN reference_sep_deg REAL;
ALTER TABLE photometry_timeseries ADD COLUMN band_norm_ujy TEXT;
ALTER TABLE photometry_timeseries ADD COLUMN band_norm_err_ujy TEXT;

CREATE TABLE epoch_gains (
    image_path    TEXT PRIMARY KEY,
    mjd           REAL NOT NULL,
    method        TEXT NOT NULL,
    n_references  INTEGER NOT NULL,
    params        TEXT,
    covariance    TEXT,
    residual_rms  REAL,
    floor         REAL,
    floor_low     REAL,
    floor_high    REAL,
    excluded      TEXT,
    created_at    REAL NOT NULL
);

CREATE TABLE epoch_scale (
    image_path    TEXT PRIMARY KEY,
    mjd           REAL,
    slope         REAL,
    slope_err     REAL,
    offset_jy     REAL,
    offset_err_jy REAL,
    scatter       REAL,
    n_sources     INTEGER NOT NULL,
    completeness  REAL,
    n_expected    INTEGER,
    rms_jy        REAL,
    verdict       TEXT NOT NULL CHECK (verdict IN ('pass', 'fail', 'untested')),
    reasons       TEXT,
    created_at    REAL NOT NULL
);

CREATE TABLE sources (
    source_id    TEXT PRIMARY KEY,
    ra_deg       REAL NOT NULL CHECK (ra_deg >= 0 AND ra_deg < 360),
    dec_deg      REAL NOT NULL CHECK (dec_deg BETWEEN -90 AND 90),
    healpix      INTEGER,
    flux_mjy     REAL,
    origin       TEXT,
    first_mjd    REAL
) WITHOUT ROWID;
CREATE INDEX sources_healpix ON sources (healpix);
