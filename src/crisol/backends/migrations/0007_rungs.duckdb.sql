-- Which rung answered and what it decided, and what the verdict holds for. The live service of an earlier version kept
-- three of these among the attributions.
ALTER TABLE trials ADD COLUMN rung TEXT DEFAULT '';
ALTER TABLE trials ADD COLUMN decided TEXT;
ALTER TABLE trials ADD COLUMN content_hash TEXT DEFAULT '';
ALTER TABLE trials ADD COLUMN referee TEXT DEFAULT '';
ALTER TABLE trials ADD COLUMN program TEXT DEFAULT '';

UPDATE trials SET
    rung = coalesce(attributions->>'$.rung', ''),
    content_hash = coalesce(attributions->>'$.content_hash', ''),
    referee = coalesce(attributions->>'$.referee', ''),
    attributions = NULL
WHERE attributions->>'$.referee' IS NOT NULL;
