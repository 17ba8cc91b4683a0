-- Summing a million rows takes PostgreSQL longer than a dashboard should wait, so each hour is summed as it is
-- written, in the writer's own transaction. Only the broken hours at the ends of a window are read row by row.
LOCK TABLE trials IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE trial_hours (
    hour           timestamp NOT NULL,  -- UTC
    experiment     text NOT NULL,
    arm            text NOT NULL,
    model_version  text NOT NULL,
    cell           smallint NOT NULL,  -- 0 to 4: tp, fp, fn, tn, inconclusive
    n              bigint NOT NULL,
    weight         double precision NOT NULL,
    weight_squared double precision NOT NULL,
    PRIMARY KEY (hour, experiment, arm, model_version, cell)
) WITH (fillfactor = 50);

CREATE FUNCTION sum_trial_hours() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trial_hours AS kept
    SELECT date_trunc('hour', created_at AT TIME ZONE 'UTC'), experiment, arm, model_version,
           CASE outcome
               WHEN 'valid' THEN CASE WHEN probability >= 0.5 THEN 0 ELSE 2 END
               WHEN 'invalid' THEN CASE WHEN probability >= 0.5 THEN 1 ELSE 3 END
               ELSE 4
           END,
           count(*), sum(1.0 / sampling_probability), sum((1.0 / sampling_probability) ^ 2)
    FROM fresh
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5  -- one order for all writers, or two of them could wait for each other
    ON CONFLICT (hour, experiment, arm, model_version, cell) DO UPDATE SET
        n = kept.n + excluded.n,
        weight = kept.weight + excluded.weight,
        weight_squared = kept.weight_squared + excluded.weight_squared;
    RETURN NULL;
END
$$;

CREATE TRIGGER sum_trial_hours AFTER INSERT ON trials
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION sum_trial_hours();

INSERT INTO trial_hours
SELECT date_trunc('hour', created_at AT TIME ZONE 'UTC'), experiment, arm, model_version,
       CASE outcome
           WHEN 'valid' THEN CASE WHEN probability >= 0.5 THEN 0 ELSE 2 END
           WHEN 'invalid' THEN CASE WHEN probability >= 0.5 THEN 1 ELSE 3 END
           ELSE 4
       END,
       count(*), sum(1.0 / sampling_probability), sum((1.0 / sampling_probability) ^ 2)
FROM trials
GROUP BY 1, 2, 3, 4, 5;
