-- Each hour is summed three times over: all its trials together, by CWE, and by band of confidence. Sums of two of
-- them at once are not kept; they would be many times as many. The table is derived, so it is made anew.
LOCK TABLE trials IN SHARE ROW EXCLUSIVE MODE;

DROP TABLE trial_hours;

CREATE TABLE trial_hours (
    slice          text NOT NULL,  -- all, cwe or band
    hour           timestamp NOT NULL,  -- UTC
    experiment     text NOT NULL,
    arm            text NOT NULL,
    model_version  text NOT NULL,
    value          text NOT NULL,  -- the CWE, or the band from 0 for 0.5 to 0.6 on; empty for all
    cell           smallint NOT NULL,  -- 0 to 4: tp, fp, fn, tn, inconclusive
    n              bigint NOT NULL,
    weight         double precision NOT NULL,
    weight_squared double precision NOT NULL,
    PRIMARY KEY (slice, hour, experiment, arm, model_version, value, cell)
) WITH (fillfactor = 50);

CREATE FUNCTION trial_cell(outcome text, probability double precision) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
    SELECT (CASE outcome
        WHEN 'valid' THEN CASE WHEN probability >= 0.5 THEN 0 ELSE 2 END
        WHEN 'invalid' THEN CASE WHEN probability >= 0.5 THEN 1 ELSE 3 END
        ELSE 4
    END)::smallint
$$;

CREATE FUNCTION trial_band(probability double precision) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN greatest(probability, 1 - probability) < 0.6 THEN '0'
        WHEN greatest(probability, 1 - probability) < 0.7 THEN '1'
        WHEN greatest(probability, 1 - probability) < 0.8 THEN '2'
        WHEN greatest(probability, 1 - probability) < 0.9 THEN '3'
        ELSE '4'
    END
$$;

CREATE OR REPLACE FUNCTION sum_trial_hours() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trial_hours AS kept
    SELECT slice, date_trunc('hour', created_at AT TIME ZONE 'UTC'), experiment, arm, model_version, value,
           trial_cell(outcome, probability),
           count(*), sum(1.0 / sampling_probability), sum((1.0 / sampling_probability) ^ 2)
    FROM fresh, LATERAL (VALUES ('all', ''), ('cwe', cwe), ('band', trial_band(probability))) AS slices (slice, value)
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    ORDER BY 1, 2, 3, 4, 5, 6, 7  -- one order for all writers, or two of them could wait for each other
    ON CONFLICT (slice, hour, experiment, arm, model_version, value, cell) DO UPDATE SET
        n = kept.n + excluded.n,
        weight = kept.weight + excluded.weight,
        weight_squared = kept.weight_squared + excluded.weight_squared;
    RETURN NULL;
END
$$;

INSERT INTO trial_hours
SELECT slice, date_trunc('hour', created_at AT TIME ZONE 'UTC'), experiment, arm, model_version, value,
       trial_cell(outcome, probability),
       count(*), sum(1.0 / sampling_probability), sum((1.0 / sampling_probability) ^ 2)
FROM trials, LATERAL (VALUES ('all', ''), ('cwe', cwe), ('band', trial_band(probability))) AS slices (slice, value)
GROUP BY 1, 2, 3, 4, 5, 6, 7;
