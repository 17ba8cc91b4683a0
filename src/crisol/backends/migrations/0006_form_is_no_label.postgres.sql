-- What could not be read or laid over the source was not judged: it counts for neither class. The sums are made anew.
LOCK TABLE trials IN SHARE ROW EXCLUSIVE MODE;

UPDATE trials SET outcome = 'inconclusive' WHERE reason IN ('malformed', 'does_not_apply');

TRUNCATE trial_hours;

INSERT INTO trial_hours
SELECT slice, date_trunc('hour', created_at AT TIME ZONE 'UTC'), experiment, arm, model_version, value,
       trial_cell(outcome, probability),
       count(*), sum(1.0 / sampling_probability), sum((1.0 / sampling_probability) ^ 2)
FROM trials, LATERAL (VALUES ('all', ''), ('cwe', cwe), ('band', trial_band(probability))) AS slices (slice, value)
GROUP BY 1, 2, 3, 4, 5, 6, 7;
