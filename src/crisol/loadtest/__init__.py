"""Put load on a service from a separate process.

The load is planned and bounded; latency counts from the intended start; targets judge the figures.
"""
