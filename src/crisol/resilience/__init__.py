"""Breaker, token bucket and cache: pure cores with injected clocks, asyncio only around them."""
