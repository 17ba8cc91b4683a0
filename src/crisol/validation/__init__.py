"""The ladder that decides about patches: cache, facts, memory, model, wargame, fallback."""
