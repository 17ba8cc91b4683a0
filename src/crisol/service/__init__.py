"""Validation as a service over HTTP, with rate limits, circuit breakers, metrics and access checks."""
