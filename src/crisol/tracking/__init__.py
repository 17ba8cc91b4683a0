"""Tracking of runs and models by MLflow, and the figures and the HTML report that are stored with a run."""
