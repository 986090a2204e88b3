-- Products, measurements, variability and candidates. Times are Unix seconds unless a name says mjd.
CREATE TABLE ms_index (
    path             TEXT PRIMARY KEY,
    start_mjd        REAL,
    end_mjd          REAL,
    mid_mjd          REAL,
    processed_at     REAL,
    status           TEXT,
    stage            TEXT,
    stage_updated_at REAL,
    cal_applied      INTEGER NOT NULL DEFAULT 0,
    imagename        TEXT,
    ra_deg           REAL,
    dec_deg          REAL,
    field_name       TEXT,
    pointing_ra_deg  REAL,
    pointing_dec_deg REAL
);
CREATE INDEX ms_index_stage ON ms_index (stage, path);
CREATE INDEX ms_index_status ON ms_index (status);
CREATE INDEX ms_index_mid_mjd ON ms_index (mid_mjd);
CREATE INDEX ms_index_field ON ms_index (field_name);

CREATE TABLE images (
    id                INTEGER PRIMARY KEY,
    path              TEXT NOT NULL UNIQUE,
    ms_path           TEXT,
    created_at        REAL NOT NULL,
    type              TEXT NOT NULL,
    mid_mjd           REAL,
    beam_major_arcsec REAL,
    beam_minor_arcsec REAL,
    beam_pa_deg       REAL,
    noise_jy          REAL,
    expected_noise_jy REAL,
    peak_jy           REAL,
    pbcor             INTEGER NOT NULL DEFAULT 0,
    dynamic_range     REAL,
    field_name        TEXT,
    center_ra_deg     REAL,
    center_dec_deg    REAL,
    imsize_x          INTEGER,
    imsize_y          INTEGER,
    cellsize_arcsec   REAL,
    freq_ghz          REAL,
    bandwidth_mhz     REAL,
    integration_sec   REAL,
    format            TEXT NOT NULL DEFAULT 'fits',
    cal_provenance    TEXT
);
CREATE INDEX images_ms ON images (ms_path);
CREATE INDEX images_mjd ON images (mid_mjd);

CREATE TABLE photometry (
    id                     INTEGER PRIMARY KEY,
    image_path             TEXT NOT NULL,
    source_id              TEXT NOT NULL,
    ra_deg                 REAL NOT NULL,
    dec_deg                REAL NOT NULL,
    mjd                    REAL,
    nvss_flux_mjy          REAL,
    peak_jyb               REAL,
    peak_err_jyb           REAL,
    snr                    REAL,
    flux_jy                REAL,
    flux_err_jy            REAL,
    normalized_flux_jy     REAL,
    normalized_flux_err_jy REAL,
    mosaic_path            TEXT,
    sep_from_center_deg    REAL,
    pb_response            REAL,
    local_rms              REAL,
    quality_flag           TEXT,
    flags                  INTEGER NOT NULL DEFAULT 0,
    measured_at            REAL NOT NULL,
    UNIQUE (image_path, source_id)
);
CREATE INDEX photometry_source ON photometry (source_id, mjd);

CREATE TABLE photometry_timeseries (
    source_id     TEXT NOT NULL,
    mjd           REAL NOT NULL,
    image_path    TEXT NOT NULL,
    ra_deg        REAL,
    dec_deg       REAL,
    peak_jyb      REAL,
    peak_err_jyb  REAL,
    peak_norm     REAL,
    peak_norm_err REAL,
    is_reference  INTEGER NOT NULL DEFAULT 0,
    flags         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source_id, mjd, image_path)
) WITHOUT ROWID;
CREATE INDEX photometry_timeseries_image ON photometry_timeseries (image_path);

CREATE TABLE epoch_corrections (
    image_path        TEXT PRIMARY KEY,
    mjd               REAL NOT NULL,
    correction        REAL,
    correction_rms    REAL,
    correction_err    REAL,
    n_references      INTEGER NOT NULL,
    excluded          TEXT,
    phase             TEXT NOT NULL CHECK (phase IN ('baseline', 'normalised', 'unnormalised')),
    created_at        REAL NOT NULL
);

CREATE TABLE variability_stats (
    source_id        TEXT PRIMARY KEY,
    ra_deg           REAL,
    dec_deg          REAL,
    nvss_flux_mjy    REAL,
    n_obs            INTEGER NOT NULL,
    mean_flux_mjy    REAL,
    std_flux_mjy     REAL,
    min_flux_mjy     REAL,
    max_flux_mjy     REAL,
    chi2_nu          REAL,
    sigma_deviation  REAL,
    eta_metric       REAL,
    v_metric         REAL,
    vs_metric        REAL,
    m_metric         REAL,
    ese_score        REAL,
    verdict          TEXT,
    reasons          TEXT,
    last_measured_at REAL,
    last_mjd         REAL,
    updated_at       REAL NOT NULL
);
CREATE INDEX variability_chi2 ON variability_stats (chi2_nu);
CREATE INDEX variability_sigma ON variability_stats (sigma_deviation);
CREATE INDEX variability_last_mjd ON variability_stats (last_mjd);
CREATE INDEX variability_eta ON variability_stats (eta_metric);

CREATE TABLE ese_candidates (
    id              INTEGER PRIMARY KEY,
    source_id       TEXT NOT NULL REFERENCES variability_stats (source_id),
    flagged_at      REAL NOT NULL,
    flagged_by      TEXT NOT NULL DEFAULT 'auto',
    significance    REAL,
    flag_type       TEXT NOT NULL CHECK (flag_type IN ('auto', 'user')),
    notes           TEXT,
    status          TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'investigated', 'dismissed')),
    investigated_at REAL,
    dismissed_at    REAL
);
CREATE UNIQUE INDEX ese_candidates_auto ON ese_candidates (source_id) WHERE flag_type = 'auto';

CREATE TABLE mosaics (
    id                 INTEGER PRIMARY KEY,
    path               TEXT UNIQUE,
    name               TEXT NOT NULL,
    created_at         REAL NOT NULL,
    start_mjd          REAL,
    end_mjd            REAL,
    integration_sec    REAL,
    n_images           INTEGER,
    center_ra_deg      REAL,
    center_dec_deg     REAL,
    dec_min_deg        REAL,
    dec_max_deg        REAL,
    noise_jy           REAL,
    beam_major_arcsec  REAL,
    beam_minor_arcsec  REAL,
    beam_pa_deg        REAL,
    n_sources          INTEGER,
    thumbnail_path     TEXT,
    status             TEXT DEFAULT 'planned',
    method             TEXT,
    tiles              TEXT,
    output_path        TEXT,
    validation_issues  TEXT,
    metrics_path       TEXT,
    effective_noise_jy REAL
);

CREATE TABLE mosaic_groups (
    group_id            TEXT PRIMARY KEY,
    mosaic_id           TEXT,
    ms_paths            TEXT NOT NULL,
    calibration_ms_path TEXT,
    bpcal_solved        INTEGER NOT NULL DEFAULT 0,
    created_at          REAL NOT NULL,
    calibrated_at       REAL,
    imaged_at           REAL,
    mosaicked_at        REAL,
    status              TEXT NOT NULL DEFAULT 'pending'
);

CREATE TABLE bandpass_calibrators (
    id              INTEGER PRIMARY KEY,
    calibrator_name TEXT NOT NULL,
    ra_deg          REAL NOT NULL,
    dec_deg         REAL NOT NULL,
    dec_range_min   REAL NOT NULL,
    dec_range_max   REAL NOT NULL,
    registered_at   REAL NOT NULL,
    registered_by   TEXT,
    status          TEXT NOT NULL DEFAULT 'active',
    notes           TEXT,
    flux_jy         REAL,
    source_catalog  TEXT
);

CREATE TABLE alert_history (
    id         INTEGER PRIMARY KEY,
    source_id  TEXT,
    alert_type TEXT NOT NULL,
    severity   TEXT NOT NULL,
    message    TEXT NOT NULL,
    sent_at    REAL NOT NULL,
    channel    TEXT,
    success    INTEGER,
    error_msg  TEXT
);

CREATE TABLE regions (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    type        TEXT NOT NULL,
    coordinates TEXT NOT NULL,
    image_path  TEXT,
    created_at  REAL NOT NULL,
    created_by  TEXT,
    updated_at  REAL
);

CREATE TABLE cross_matches (
    id                INTEGER PRIMARY KEY,
    source_id         TEXT NOT NULL,
    catalog_type      TEXT NOT NULL,
    catalog_source_id TEXT,
    separation_arcsec REAL,
    dra_arcsec        REAL,
    ddec_arcsec       REAL,
    detected_flux_jy  REAL,
    catalog_flux_jy   REAL,
    flux_ratio        REAL,
    match_quality     TEXT,
    match_method      TEXT NOT NULL DEFAULT 'basic',
    master_catalog_id TEXT,
    created_at        REAL NOT NULL,
    UNIQUE (source_id, catalog_type)
);

CREATE TABLE upper_limits (
    id               INTEGER PRIMARY KEY,
    source_id        TEXT NOT NULL,
    epoch_mjd        REAL NOT NULL,
    ra_deg           REAL,
    dec_deg          REAL,
    rms_jyb          REAL,
    upper_limit_jyb  REAL,
    n_sigma          REAL,
    forced_peak_jyb  REAL,
    image_path       TEXT,
    created_at       REAL NOT NULL,
    UNIQUE (source_id, epoch_mjd)
);

CREATE TABLE qa_artifacts (
    id         INTEGER PRIMARY KEY,
    group_id   TEXT NOT NULL,
    name       TEXT NOT NULL,
    path       TEXT NOT NULL,
    created_at REAL NOT NULL
);

CREATE TABLE calibration_qa (
    id              INTEGER PRIMARY KEY,
    ms_path         TEXT NOT NULL,
    job_id          INTEGER,
    k_metrics       TEXT,
    bp_metrics      TEXT,
    g_metrics       TEXT,
    overall_quality TEXT,
    flags_total     REAL,
    per_spw_stats   TEXT,
    timestamp       REAL NOT NULL
);

CREATE TABLE image_qa (
    id              INTEGER PRIMARY KEY,
    ms_path         TEXT,
    job_id          INTEGER,
    image_path      TEXT NOT NULL,
    rms_noise       REAL,
    peak_flux       REAL,
    dynamic_range   REAL,
    beam_major      REAL,
    beam_minor      REAL,
    beam_pa         REAL,
    num_sources     INTEGER,
    thumbnail_path  TEXT,
    overall_quality TEXT,
    timestamp       REAL NOT NULL
);

CREATE TABLE jobs (
    id          INTEGER PRIMARY KEY,
    type        TEXT NOT NULL,
    status      TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'done', 'failed', 'cancelled')),
    ms_path     TEXT,
    params      TEXT,
    logs        TEXT,
    artifacts   TEXT,
    created_at  REAL NOT NULL,
    started_at  REAL,
    finished_at REAL
);

CREATE TABLE batch_jobs (
    id              INTEGER PRIMARY KEY,
    type            TEXT NOT NULL,
    created_at      REAL NOT NULL,
    status          TEXT NOT NULL DEFAULT 'pending',
    total_items     INTEGER NOT NULL,
    completed_items INTEGER NOT NULL DEFAULT 0,
    failed_items    INTEGER NOT NULL DEFAULT 0,
    params          TEXT
);

CREATE TABLE batch_job_items (
    id           INTEGER PRIMARY KEY,
    batch_id     INTEGER NOT NULL REFERENCES batch_jobs (id) ON DELETE CASCADE,
    ms_path      TEXT,
    job_id       INTEGER,
    status       TEXT NOT NULL DEFAULT 'pending',
    error        TEXT,
    started_at   REAL,
    completed_at REAL,
    data_id      TEXT
);

CREATE TABLE pointing_history (
    timestamp REAL PRIMARY KEY,
    ra_deg    REAL NOT NULL,
    dec_deg   REAL NOT NULL
);

CREATE TABLE storage_locations (
    id            INTEGER PRIMARY KEY,
    location_type TEXT NOT NULL,
    base_path     TEXT NOT NULL,
    description   TEXT,
    registered_at REAL NOT NULL,
    status        TEXT NOT NULL DEFAULT 'active',
    notes         TEXT,
    UNIQUE (location_type, base_path)
);

CREATE TABLE validation_cache (
    cache_key       TEXT PRIMARY KEY,
    image_path      TEXT NOT NULL,
    catalog         TEXT NOT NULL,
    validation_type TEXT NOT NULL,
    results_json    TEXT NOT NULL,
    created_at      REAL NOT NULL,
    expires_at      REAL NOT NULL
);

CREATE TABLE data_registry (
    id                   INTEGER PRIMARY KEY,
    data_type            TEXT NOT NULL CHECK (data_type IN ('ms', 'calib_ms', 'caltable', 'image', 'mosaic', 'catalog', 'qa', 'metadata')),
    data_id              TEXT NOT NULL UNIQUE,
    base_path            TEXT NOT NULL,
    status               TEXT NOT NULL DEFAULT 'staging' CHECK (status IN ('staging', 'publishing', 'published', 'archived')),
    stage_path           TEXT,
    published_path       TEXT,
    created_at           REAL NOT NULL,
    staged_at            REAL,
    published_at         REAL,
    publish_mode         TEXT CHECK (publish_mode IN ('auto', 'manual')),
    metadata_json        TEXT,
    qa_status            TEXT,
    validation_status    TEXT,
    finalization_status  TEXT NOT NULL DEFAULT 'pending' CHECK (finalization_status IN ('pending', 'finalized', 'failed')),
    auto_publish_enabled INTEGER NOT NULL DEFAULT 1,
    publish_attempts     INTEGER NOT NULL DEFAULT 0,
    publish_error        TEXT,
    photometry_status    TEXT CHECK (photometry_status IN ('pending', 'running', 'completed', 'failed')),
    photometry_job_id    TEXT
);

CREATE TABLE data_relationships (
    parent_data_id    TEXT NOT NULL REFERENCES data_registry (data_id) ON DELETE CASCADE,
    child_data_id     TEXT NOT NULL REFERENCES data_registry (data_id) ON DELETE CASCADE,
    relationship_type TEXT NOT NULL,
    UNIQUE (parent_data_id, child_data_id, relationship_type)
);

CREATE TABLE data_tags (
    data_id TEXT NOT NULL REFERENCES data_registry (data_id) ON DELETE CASCADE,
    tag     TEXT NOT NULL,
    UNIQUE (data_id, tag)
);
