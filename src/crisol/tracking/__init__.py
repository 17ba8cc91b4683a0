"""Tracking by MLflow, and what it keeps: figures and the report."""
