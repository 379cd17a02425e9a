"""What is answered when a request cannot be: a page to people, a problem document (RFC 9457) to programs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import defaults

API = "/api/"


def problem(status: int, detail: str) -> JsonResponse:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}
    return JsonResponse(body, status=status, content_type="application/problem+json")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    is_too_large = isinstance(exception, RequestDataTooBig)
    if not request.path.startswith(API):
        return render(request, "413.html", {"most": settings.LARGEST_FILE_GB}, status=413) if is_too_large else (
            defaults.bad_request(request, exception))
    if is_too_large:
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _("The body is larger than 16 MB: send it in parts."))
    return problem(HTTPStatus.BAD_REQUEST, _("The request could not be read: its address or body is malformed."))


def denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not request.path.startswith(API):
        return defaults.permission_denied(request, exception)
    return problem(HTTPStatus.FORBIDDEN, str(exception) or _("This is not allowed."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not request.path.startswith(API):
        return defaults.page_not_found(request, exception)
    return problem(HTTPStatus.NOT_FOUND, _("There is nothing at this address; /api/docs/ lists what there is."))


def failed(request: HttpRequest, *args: Any) -> HttpResponse:
    if not request.path.startswith(API):
        return defaults.server_error(request)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, _("Something went wrong here, and was written down. Nothing was "
                                                       "changed: send the request again."))
