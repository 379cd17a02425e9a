"""Logs as data: every line with its request and tenant, none with a secret."""

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_NAME = re.compile(
    r"passw|secret|token|api_?key|authorization|cookie|signature|hmac|session_?key|credential|dsn|database_url|redis_url",
    re.IGNORECASE)
# Addresses come from outside and as long as a sender likes: no pattern may start again inside what it has just read,
# or a line takes the square of its length.
SECRET_IN_QUERY = re.compile(r"([?&])([^?&=\s]*)=[^&\s]+")
SECRET_PARAMETER = re.compile(r"passw|secret|token|key|signature|hmac|code", re.IGNORECASE)
# a password-reset or invitation link carries its secret in the path
SECRET_IN_PATH = re.compile(r"(/(?:password/reset/key|confirm-email|invitations?)/)[^/?\s]+")
URL_PASSWORD = re.compile(r"(\b\w+://[^:/@\s]*:)[^@\s]{1,256}@")
HIDDEN = "[hidden]"


def hide_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the values of secret-looking names, and secrets inside URLs, at any depth."""
    return {name: clean(name, value) for name, value in event.items()}


def clean(name: str, value: Any) -> Any:
    if SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, dict):
        return {key: clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean("", inner) for inner in value]
    if isinstance(value, str):
        value = SECRET_IN_QUERY.sub(
            lambda found: f"{found[1]}{found[2]}={HIDDEN}" if SECRET_PARAMETER.search(found[2]) else found[0], value)
        value = SECRET_IN_PATH.sub(rf"\1{HIDDEN}", value)
        return URL_PASSWORD.sub(rf"\1{HIDDEN}@", value)
    return value


def add_tenant(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The tenant in scope, where there is one."""
    from apps.tenants.scope import tenant_in_scope  # settings load before the apps do

    tenant_id = tenant_in_scope()
    if tenant_id is not None:
        event.setdefault("tenant_id", tenant_id)
    return event


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    add_tenant,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.stdlib.ExtraAdder(),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    hide_secrets,
]


def configure() -> None:
    """Points structlog at the standard library's handlers; called once, when the settings load."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level, *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def logging_settings(level: str, as_json: bool) -> dict[str, Any]:
    """The LOGGING setting: one handler to standard error, one line of JSON or of readable text per event."""
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                "foreign_pre_chain": SHARED,
            },
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # the request middleware already logs each request's end with its status
            "django.request": {"level": "ERROR"},
            # and the task receivers each task's, with its context
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "django.server": {"handlers": ["stderr"], "level": level, "propagate": False},
        },
    }
