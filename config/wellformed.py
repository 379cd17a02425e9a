"""What no page and no table can hold is answered before any view: characters that are none, bodies without end."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, HttpResponseBase
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext as _

from config.errors import problem

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Under any other name that Python knows ("hex", "idna", "unicode_escape"), letters are not themselves.
CHARSETS = ("utf-8", "utf-8-sig", "ascii", "iso8859-1", "iso8859-15", "cp1252", "gbk", "gb18030")
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
FORM_BYTES = 2**20  # of a form around its file


class ReadableBodies:
    """Around the WSGI application: refuses a body in a charset that no form and no program of a shop writes.

    Django decodes bodies by whatever name Python knows, and fails at some of them before any middleware.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if _is_readable(environ.get("CONTENT_TYPE", "")):
            return self.application(environ, start_response)
        refused = problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _("The body's charset cannot be read here: send UTF-8."))
        start_response(f"{refused.status_code} {refused.reason_phrase}", list(refused.items()))
        return [refused.content]


def _is_readable(content_type: str) -> bool:
    try:
        charset = parse_header_parameters(content_type)[1].get("charset", "")
        return codecs.lookup(charset).name in CHARSETS
    except LookupError:  # none, or one that nobody knows: it is passed over
        return True
    except ValueError:
        return False


class SessionCookieMiddleware:
    """Before anything else reads it: a session of odd characters is none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.COOKIES.get(settings.SESSION_COOKIE_NAME, "0").isalnum():
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        return self.get_response(request)


class WellFormedMiddleware:
    """Refuses a zero character in an address, its query or a form: Postgres takes no such text.

    A body that no file can be is refused by its length, before any of it is written to a disk.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"  # without one, Django reads no body at all
        if length.isdigit() and int(length) > settings.LARGEST_FILE_GB * 2**30 + FORM_BYTES:
            raise RequestDataTooBig("The body is larger than a file may be.")
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = [request.path, *(text for values in request.GET.lists() for text in (values[0], *values[1]))]
        if request.method == "POST" and request.content_type in FORMS:
            given += [text for values in request.POST.lists() for text in (values[0], *values[1])]
        if any("\0" in text for text in given):
            raise BadRequest("There is a zero character in it.")
