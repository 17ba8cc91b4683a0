-- Which rung answered and what it decided, and what the verdict holds for. The live service of an earlier version kept
-- three of these among the attributions.
ALTER TABLE trials
    ADD COLUMN rung         text NOT NULL DEFAULT '',
    ADD COLUMN decided      text CHECK (decided IN ('valid', 'invalid')),
    ADD COLUMN content_hash text NOT NULL DEFAULT '',
    ADD COLUMN referee      text NOT NULL DEFAULT '',
    ADD COLUMN program      text NOT NULL DEFAULT '';

UPDATE trials SET
    rung = coalesce(attributions->>'rung', ''),
    content_hash = coalesce(attributions->>'content_hash', ''),
    referee = coalesce(attributions->>'referee', ''),
    attributions = NULL
WHERE json_typeof(attributions) = 'object' AND attributions->>'referee' IS NOT NULL;
