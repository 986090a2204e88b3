-- Catalogues: calibrators with fluxes by band, and the unified master list with its reference views.
CREATE TABLE calibrators (
    name    TEXT PRIMARY KEY,
    ra_deg  REAL NOT NULL CHECK (ra_deg >= 0 AND ra_deg < 360),
    dec_deg REAL NOT NULL CHECK (dec_deg BETWEEN -90 AND 90)
);
CREATE TABLE fluxes (
    name       TEXT NOT NULL REFERENCES calibrators (name) ON DELETE CASCADE,
    band       TEXT NOT NULL,
    freq_hz    REAL,
    flux_jy    REAL NOT NULL,
    sidx       REAL,
    sidx_f0_hz REAL,
    PRIMARY KEY (name, band)
);
CREATE VIEW vla_20cm AS
    SELECT c.name, c.ra_deg, c.dec_deg, f.flux_jy, f.sidx, f.sidx_f0_hz
    FROM calibrators c JOIN fluxes f ON f.name = c.name WHERE f.band = '20cm';

CREATE TABLE sources (
    source_id      TEXT PRIMARY KEY,
    ra_deg         REAL NOT NULL CHECK (ra_deg >= 0 AND ra_deg < 360),
    dec_deg        REAL NOT NULL CHECK (dec_deg BETWEEN -90 AND 90),
    healpix        INTEGER,
    flux_mjy       REAL,
    s_nvss         REAL,
    snr_nvss       REAL,
    s_vlass        REAL,
    alpha          REAL,
    maj_arcsec     REAL,
    min_arcsec     REAL,
    resolved_flag  INTEGER NOT NULL DEFAULT 0,
    confusion_flag INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX sources_healpix ON sources (healpix);
CREATE INDEX sources_dec ON sources (dec_deg);
CREATE INDEX sources_flux ON sources (flux_mjy);
CREATE VIEW good_references AS
    SELECT * FROM sources
    WHERE snr_nvss >= 50 AND resolved_flag = 0 AND confusion_flag = 0 AND alpha BETWEEN -1.2 AND 0.2;
CREATE VIEW final_references AS SELECT * FROM good_references WHERE snr_nvss >= 80;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT
);
