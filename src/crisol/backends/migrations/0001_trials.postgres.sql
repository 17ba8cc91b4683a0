CREATE TABLE trials (
    id                   text PRIMARY KEY,
    patch                text NOT NULL,
    vulnerability        text NOT NULL,
    cwe                  text NOT NULL,
    experiment           text NOT NULL,
    arm                  text NOT NULL,
    model_version        text NOT NULL,
    feature_version      text NOT NULL,
    probability          double precision NOT NULL CHECK (probability BETWEEN 0 AND 1),
    outcome              text NOT NULL CHECK (outcome IN ('valid', 'invalid', 'inconclusive')),
    reason               text,
    sampling_probability double precision NOT NULL CHECK (sampling_probability > 0 AND sampling_probability <= 1),
    predict_seconds      double precision NOT NULL,
    wargame_seconds      double precision NOT NULL,
    created_at           timestamptz NOT NULL,
    attributions         json
);
