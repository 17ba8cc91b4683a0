"""Stores, caches and clusters that implement the Protocols of the other packages.

:mod:`crisol.wiring` chooses among them by the settings.
"""
