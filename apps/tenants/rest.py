"""How programs are let in and answered: keys, permissions, limits, pages and problems of the API."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any, ClassVar, cast

from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions, pagination, parsers, permissions, throttling, viewsets
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler

from apps.tenants.models import ApiKey, Permission, Tenant

PROBLEM = "application/problem+json"
POSITION = re.compile(r"^\d{1,18}\Z")  # every list is in the order of ids


class KeyHolder:
    """Who stands behind a key: a program, never a person."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.pk = None

    def __str__(self) -> str:
        return f"{self.key.name} ({self.key.prefix})"


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sw_…`; the middleware has looked the key up and entered its tenant's scope."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey] | None:
        key: ApiKey | None = getattr(request._request, "api_key", None)
        if key is not None:
            return KeyHolder(key), key
        if request.headers.get("Authorization"):
            raise exceptions.AuthenticationFailed(
                _("This key is unknown, expired or revoked. Send a live one: Authorization: Bearer sw_…"))
        return None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Stockwright"'


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The key as the OpenAPI document describes it."""

    target_class = "apps.tenants.rest.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer",
                "description": str(_("An API key, made under Settings → API keys."))}


class KeyMay(permissions.BasePermission):
    """A key reads with `read`; what it may change is named by the view's `to_change`, or by the action's."""

    def has_permission(self, request: Request, view: Any) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return False
        if view.action is None:
            raise exceptions.MethodNotAllowed(str(request.method))
        needed = Permission.READ if request.method in permissions.SAFE_METHODS else view.to_change
        self.message = _("This key may not do that: it lacks the permission “%(name)s”.") % {"name": needed}
        return needed is not None and key.may(needed)


class TenantThrottle(throttling.SimpleRateThrottle):
    """So many requests a minute for a tenant, by its tier or its own limit; a broker that is away limits nobody."""

    scope = "tenant"
    rate = "1/min"

    def allow_request(self, request: Request, view: Any) -> bool:
        tenant: Tenant | None = getattr(request._request, "tenant", None)
        if tenant is None:
            return True
        self.num_requests, self.duration = tenant.limit("requests_per_minute"), 60
        return bool(super().allow_request(request, view))

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"tenant:{request._request.tenant.pk}:throttle"  # type: ignore[attr-defined]


class PlainJSONParser(parsers.JSONParser):
    """JSON whose texts can be stored: no zero characters, no halves of characters, no endless nesting."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            found = super().parse(stream, media_type, parser_context)
            json.dumps(found, ensure_ascii=False).encode()
            is_zero = has_zero(found)
        except RecursionError as error:
            raise exceptions.ParseError(_("The body is nested too deep.")) from error
        except UnicodeEncodeError as error:
            raise exceptions.ParseError(_("The body holds half a character (a lone surrogate).")) from error
        if is_zero:
            raise exceptions.ParseError(_("The body holds a zero character, which no text here may."))
        return found


def has_zero(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(has_zero(each) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(map(has_zero, value))


class CursorPages(pagination.CursorPagination):
    """Pages by cursor: `next` and `previous` are whole addresses; new rows make nothing be skipped or seen twice."""

    page_size = 100
    max_page_size = 1000
    page_size_query_param = "page_size"
    ordering = "-id"

    def decode_cursor(self, request: Request) -> Any:
        """The cursor of a page that this API gave out; any other is refused."""
        found = super().decode_cursor(request)
        if found is not None and found.position is not None and not POSITION.match(str(found.position)):
            raise exceptions.NotFound(self.invalid_cursor_message)
        return found


class TenantViewSet(viewsets.GenericViewSet[Any]):
    """What every resource of the API has in common."""

    authentication_classes = (KeyAuthentication,)
    permission_classes = (KeyMay,)
    parser_classes = (PlainJSONParser,)
    throttle_classes = (TenantThrottle,)
    pagination_class = CursorPages
    to_change: ClassVar[str | None] = None
    lookup_value_regex = r"\d+"

    def rows(self) -> QuerySet[Any]:
        """The tenant's rows of this resource; a subclass says which."""
        raise ImproperlyConfigured(f"{type(self).__name__} does not say which rows it shows.")

    @property
    def is_described(self) -> bool:
        """The OpenAPI document is being made, in nobody's scope."""
        return bool(getattr(self, "swagger_fake_view", False))

    @staticmethod
    def nobodys(model: Any) -> QuerySet[Any]:
        found: QuerySet[Any] = model._default_manager.none()
        return found

    def get_queryset(self) -> QuerySet[Any]:
        if self.is_described:
            return self.nobodys(self.get_serializer_class().Meta.model)  # type: ignore[attr-defined]
        return self.rows()

    @property
    def tenant(self) -> Tenant:
        return cast(Tenant, self.request._request.tenant)  # type: ignore[attr-defined]

    @property
    def program(self) -> str:
        """The key as the audit trail names it."""
        return str(self.request.user)


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every refusal as a problem document; what is not a refusal stays a server error."""
    if isinstance(error, ValidationError):
        error = exceptions.ValidationError(error.messages)
    response = exception_handler(error, context)
    if response is None:
        return None
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(response.status_code).phrase,
                            "status": response.status_code}
    if isinstance(error, exceptions.ValidationError):
        body |= {"title": str(_("The request does not fit.")), "errors": list(_flatten(error.detail))}
    elif isinstance(error, Http404):
        body["detail"] = str(_("There is nothing here, or it is not yours."))
    elif isinstance(error, PermissionDenied):
        body["detail"] = str(error)
    elif isinstance(error, exceptions.APIException):
        body["detail"] = str(error.detail)
    response.data, response.content_type = body, PROBLEM
    return response


def _flatten(detail: Any, path: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        return [line for key, value in detail.items()
                for line in _flatten(value, f"{path}.{key}" if path else str(key))]
    if isinstance(detail, list):
        return [line for place, value in enumerate(detail)
                for line in _flatten(value, path if isinstance(value, str) else f"{path}.{place}")]
    return [{"field": path, "message": str(detail), "code": getattr(detail, "code", "invalid")}]


class Conflict(exceptions.APIException):
    """What was asked does not fit the state that the thing is in."""

    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"


class Unprocessable(exceptions.APIException):
    """What was sent is well formed and cannot be taken."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_code = "unprocessable"
