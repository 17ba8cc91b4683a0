CREATE INDEX trials_in_order ON trials (created_at, id);
