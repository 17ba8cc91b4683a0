"""Faults that are really injected under steady load, and what they do to the service."""
