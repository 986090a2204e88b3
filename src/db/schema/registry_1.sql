-- Calibration registry. Validity is in MJD of observation time, never of the wall clock.
CREATE TABLE caltables (
    id              INTEGER PRIMARY KEY,
    set_name        TEXT NOT NULL,
    path            TEXT NOT NULL UNIQUE,
    table_type      TEXT NOT NULL CHECK (table_type IN ('K', 'BA', 'BP', 'GA', 'GP', '2G', 'FLUX')),
    order_index     INTEGER NOT NULL,
    cal_field       TEXT,
    refant          TEXT,
    created_at      REAL NOT NULL,
    valid_start_mjd REAL,
    valid_end_mjd   REAL,
    status          TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'retired', 'failed')),
    notes           TEXT,
    source_ms_path  TEXT,
    solver_command  TEXT,
    solver_version  TEXT,
    solver_params   TEXT,
    quality_metrics TEXT,
    pointing_dec_deg REAL,
    CHECK (valid_start_mjd IS NULL OR valid_end_mjd IS NULL OR valid_start_mjd <= valid_end_mjd)
);
CREATE INDEX caltables_set ON caltables (set_name, order_index);
CREATE INDEX caltables_validity ON caltables (status, valid_start_mjd, valid_end_mjd);
