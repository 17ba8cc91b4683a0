"""The ML-first path: cache, then the model, then, where it is not sure, the wargame."""
