-- How a set came to be: solved on a primary flux calibrator, on another bright source, taken over from another date, or unsaid.
ALTER TABLE caltables ADD COLUMN provenance TEXT
    CHECK (provenance IN ('SAME_DATE', 'PRIMARY', 'BRIGHT_FALLBACK', 'BORROWED'));
