"""Validation as a service: guarded, observed, and hard to abuse."""
