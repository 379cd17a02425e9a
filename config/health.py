"""Answers a balancer's two questions before any host check, session or tenant: is it up, and can it work."""

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import Error, connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis.backoff import NoBackoff
from redis.retry import Retry

PROBE_SECONDS = 2


class HealthMiddleware:
    """/healthz needs nothing but the process; /readyz asks the database and the broker, and names what is missing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return JsonResponse({"status": "ok"})
        if request.path == "/readyz":
            return readiness()
        return self.get_response(request)


def readiness() -> HttpResponse:
    states = {"database": database_answers(), "broker": broker_answers()}
    missing = [name for name, answers in states.items() if not answers]
    body: dict[str, object] = {"status": "missing" if missing else "ok", "missing": missing}
    return JsonResponse(body, status=503 if missing else 200)


def database_answers() -> bool:
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


def broker_answers() -> bool:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=PROBE_SECONDS,
                                  socket_connect_timeout=PROBE_SECONDS, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
