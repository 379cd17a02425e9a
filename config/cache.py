"""The cache when its server is away: nothing is remembered, and nobody is kept out for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import redis
import structlog
from django.core.cache.backends.redis import RedisCache

log = structlog.get_logger(__name__)
SECONDS_AWAY = 5  # for which a server that did not answer is not asked again: a request asks it many times
_away_until: dict[str, float] = {}


def _or(otherwise: Any, name: str) -> Callable[..., Any]:
    known: Callable[..., Any] = getattr(RedisCache, name)

    @wraps(known)
    def patient(self: RedisCache, *args: Any, **kwargs: Any) -> Any:
        server = self._servers[0]  # type: ignore[attr-defined]  # as the base class keeps them
        if time.monotonic() >= _away_until.get(server, 0):
            try:
                return known(self, *args, **kwargs)
            except redis.RedisError as error:
                log.warning("cache_away", operation=name, error=str(error))
                _away_until[server] = time.monotonic() + SECONDS_AWAY
        return otherwise(*args, **kwargs) if callable(otherwise) else otherwise

    return patient


class PatientCache(RedisCache):
    """Redis' cache, empty while its server does not answer.

    Limits of how often somebody may try are not counted then: people who cannot sign in would be the greater harm.
    """

    add = _or(True, "add")
    get = _or(lambda _key, default=None, **_more: default, "get")
    set = _or(None, "set")
    touch = _or(False, "touch")
    delete = _or(False, "delete")
    get_many = _or(lambda *_args, **_more: {}, "get_many")
    set_many = _or(lambda *_args, **_more: [], "set_many")
    delete_many = _or(None, "delete_many")
    has_key = _or(False, "has_key")
    incr = _or(lambda _key, delta=1, **_more: delta, "incr")
