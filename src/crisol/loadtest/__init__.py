"""Load on a service, from a process of its own: planned, bounded, measured from the intended start, and judged."""
