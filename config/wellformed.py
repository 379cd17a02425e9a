"""What no page and no table can hold is answered before any view: characters that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class WellFormedMiddleware:
    """Refuses a zero character in an address, its query or a form: Postgres takes no such text."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = [request.path, *(text for values in request.GET.lists() for text in (values[0], *values[1]))]
        if request.method == "POST" and request.content_type in FORMS:
            given += [text for values in request.POST.lists() for text in (values[0], *values[1])]
        if any("\0" in text for text in given):
            raise BadRequest("There is a zero character in it.")
