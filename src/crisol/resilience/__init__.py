"""Circuit breakers, token buckets and caches for one process, each with a clock as an argument."""
