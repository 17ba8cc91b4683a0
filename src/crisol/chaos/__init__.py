"""Chaos tests: inject real faults into a service under steady load, and measure how the service reacts."""
