"""Put load on a service from a separate process.

A plan bounds the number of requests and the duration. The latency of a request counts from its planned start.
Load targets are bounds that the measured figures must keep.
"""
