"""Redis: token buckets and a cache tier that several processes share."""

from __future__ import annotations

from crisol.backends.redis.bucket import RedisBucket
from crisol.backends.redis.cache import RedisTier
from crisol.backends.redis.connect import connect

__all__ = ["RedisBucket", "RedisTier", "connect"]
