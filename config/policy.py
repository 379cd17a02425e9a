"""The content security policy by path: strict on the portal, looser where the operators' admin needs it."""

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase


class ContentPolicyMiddleware(CSPMiddleware):
    """django-csp's middleware with a policy of its own for each path prefix in CONTENT_SECURITY_POLICIES."""

    def get_policy_parts(self, request: HttpRequest, response: HttpResponseBase,
                         report_only: bool = False) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if parts.config is None and not report_only:
            for prefix, directives in settings.CONTENT_SECURITY_POLICIES.items():
                if request.path_info.startswith(prefix):
                    parts.config = directives
        return parts
