"""Stores, caches and clusters behind the Protocols of the layers below; only the wiring names them."""
