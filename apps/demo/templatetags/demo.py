"""The bar that stands above every page of a demo's shop."""

from __future__ import annotations

from typing import Any

from django import template

from apps.demo import selectors

register = template.Library()


@register.inclusion_tag("demo/_bar.html", takes_context=True)
def demo_bar(context: template.Context) -> dict[str, Any]:
    """Where the shop stands and its next days; nothing in a real shop, and on the demo's own page."""
    request: Any = context.get("request")
    tenant = getattr(request, "tenant", None)
    if tenant is None or request.path.startswith("/demo/") or not selectors.is_demo_shop(tenant):
        return {"standing": None}
    shell: Any = context.get("shell")
    return {"request": request, "path": request.get_full_path(), "standing": selectors.standing(tenant),
            "busy": selectors.busy_job() if shell and shell.is_running else None, "is_renewed": False,
            "csrf_token": context.get("csrf_token")}
