CREATE TABLE trials (
    id                   TEXT PRIMARY KEY,
    patch                TEXT NOT NULL,
    vulnerability        TEXT NOT NULL,
    cwe                  TEXT NOT NULL,
    experiment           TEXT NOT NULL,
    arm                  TEXT NOT NULL,
    model_version        TEXT NOT NULL,
    feature_version      TEXT NOT NULL,
    probability          DOUBLE NOT NULL CHECK (probability BETWEEN 0 AND 1),
    outcome              TEXT NOT NULL CHECK (outcome IN ('valid', 'invalid', 'inconclusive')),
    reason               TEXT,
    sampling_probability DOUBLE NOT NULL CHECK (sampling_probability > 0 AND sampling_probability <= 1),
    predict_seconds      DOUBLE NOT NULL,
    wargame_seconds      DOUBLE NOT NULL,
    created_at           TIMESTAMPTZ NOT NULL,
    attributions         JSON
);
