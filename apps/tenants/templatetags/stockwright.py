"""How figures, badges, tables and charts look, on every page of every app."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any

from django import template
from django.core.paginator import Page
from django.forms import BoundField
from django.http import QueryDict
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.tenants import figures
from apps.tenants.figures import Number, number

register = template.Library()
register.simple_tag(figures.numbers_locale)


def unknown() -> SafeString:
    return format_html('<span class="text-secondary" title="{}">–</span>', _("not known"))


# --- Figures ------------------------------------------------------------------------------------------------------

def _filter(write: Callable[..., str]) -> Callable[..., str]:
    """A filter that writes a figure, and a dash where there is none."""
    @register.filter(name=write.__name__)
    @wraps(write)
    def shown(value: Any, *given: Any) -> str:
        return unknown() if value in (None, "") else write(value, *given)

    return shown


money, money_round, money_short = _filter(figures.money), _filter(figures.money_round), _filter(figures.money_short)
units, days, share = _filter(figures.units), _filter(figures.days), _filter(figures.share)
decimals, sign, file_size = _filter(figures.decimals), _filter(figures.sign), _filter(figures.file_size)
day, day_short, duration = _filter(figures.day), _filter(figures.day_short), _filter(figures.duration)


@register.filter
def tone(value: Number | None) -> str:
    """The class that colours a gain or a loss; the sign says it in words."""
    if not value:
        return "text-secondary"
    return "text-success" if value > 0 else "text-danger"


@register.filter
def moment(value: dt.datetime | str | None) -> str:
    """A moment in the shop's own time: 4 Dec 2017, 14:05."""
    if not value:
        return unknown()
    found = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    local = timezone.localtime(found) if timezone.is_aware(found) else found
    return format_html('<time datetime="{}">{}</time>', local.isoformat(timespec="seconds"),
                       formats.date_format(local, "j M Y, H:i"))


# --- Marks --------------------------------------------------------------------------------------------------------

@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """One of the icons in static/img/icons.svg; without a label it is decoration."""
    said = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html('<svg class="icon {}" {} width="20" height="20"><use href="{}#{}"></use></svg>', css, said,
                       static("img/icons.svg"), name)


# What a badge says, in which colour, and what stands behind it.
def badges() -> dict[str, tuple[str, str, str]]:
    return {
        "assumed": (_("assumed"), "warning", _("Nobody said this figure: it comes from the shop's defaults.")),
        "uncounted": (_("never counted"), "warning", _("Nobody has counted its stock: count and import it.")),
        "one_sale": (_("one big sale"), "warning", _("One sale is far above its others: look whether it is right.")),
        "young": (_("short history"), "warning",
                  _("It has been sold for under eight weeks: import its earlier sales, if there are any.")),
        "simulated": (_("simulated"), "purple", _("Made by a written rule for the demo; it is not a real figure.")),
        "replay": (_("replay"), "azure", _("Made afterwards, with only what was known on that day.")),
        "demo": (_("demo"), "purple", _("Real sales, recast; costs, stock and terms are simulated.")),
        "given": (_("given"), "secondary", _("Said by the shop.")),
        "info": (_("to know"), "azure", ""), "warning": (_("to look at"), "warning", ""),
        "critical": (_("urgent"), "danger", ""),
        "queued": (_("waiting"), "secondary", ""), "running": (_("running"), "azure", ""),
        "done": (_("done"), "success", ""), "failed": (_("failed"), "danger", ""),
        "cancelled": (_("cancelled"), "secondary", ""),
        "open": (_("open"), "azure", ""), "seen": (_("seen"), "secondary", ""),
        "resolved": (_("resolved"), "success", ""), "approved": (_("approved"), "success", ""),
        "edited": (_("edited"), "success", ""), "dismissed": (_("dismissed"), "secondary", ""),
        "superseded": (_("replaced"), "secondary", ""),
        "draft": (_("draft"), "secondary", ""), "sent": (_("sent"), "azure", ""),
        "partly_received": (_("partly received"), "warning", ""), "received": (_("received"), "success", ""),
        "champion": (_("champion"), "success", _("The model whose forecasts are used.")),
        "challenger": (_("challenger"), "azure", ""), "baseline": (_("baseline"), "secondary", ""),
    }


@register.simple_tag
def badge(code: str, label: str = "", tone: str = "", title: str = "") -> SafeString:
    """A small coloured word; the codes above need no label, any other code takes label and tone."""
    known = badges().get(code, (code, "secondary", ""))
    return format_html('<span class="badge badge-{}"{}>{}</span>', tone or known[1],
                       format_html(' title="{}"', title or known[2]) if title or known[2] else "", label or known[0])


@register.simple_tag
def progress(fraction: float | None, label: str = "") -> SafeString:
    """A bar from 0 to 1; without a fraction it only says that something goes on."""
    said = label or _("Progress")
    if fraction is None:
        return format_html('<progress class="bar" aria-label="{}"></progress>', said)
    percent = max(0, min(100, round(fraction * 100)))
    return format_html('<progress class="bar" max="100" value="{}" aria-label="{}">{}%</progress>', percent, said,
                       percent)


@register.simple_tag
def share_bar(value: float | None, tone: str = "primary", label: str = "") -> SafeString:
    """A thin bar beside a figure in a table: a part of one."""
    width = max(0.0, min(1.0, float(value or 0))) * 100
    return format_html('<svg class="share-bar share-bar-{}" role="img" aria-label="{}" width="100%" height="6">'
                       '<rect width="100%" height="6" rx="3" class="share-bar-track"></rect>'
                       '<rect width="{}%" height="6" rx="3"></rect></svg>', tone, label or share(value), f"{width:.1f}")


@register.simple_tag
def sparkline(values: Sequence[float | None], label: str) -> SafeString:
    """A line without axes, 120 by 28; the label says what it shows."""
    known = [0.0 if value is None else float(value) for value in values]
    if len(known) < 2:
        return SafeString("")
    top = max(known) or 1.0
    points = " ".join(f"{120 * n / (len(known) - 1):.1f},{27 - 25 * value / top:.1f}" for n, value in enumerate(known))
    return format_html('<svg class="sparkline" role="img" aria-label="{}" width="120" height="28" viewBox="0 0 120 28">'
                       '<polyline points="{}"></polyline></svg>', label, points)


# --- Blocks -------------------------------------------------------------------------------------------------------

@register.simple_block_tag(takes_context=True, end_name="endpage_header")
def page_header(context: template.Context, content: str, title: str, lead: str = "", back: str = "",
                back_label: str = "") -> str:
    """The page's h1, one sentence under it, and its actions (the block's content) at the side."""
    return render_to_string("components/page_header.html", {
        "title": title, "lead": lead, "back": back, "back_label": back_label, "actions": SafeString(content.strip())})


@register.simple_block_tag(takes_context=True, end_name="endcard")
def card(context: template.Context, content: str, title: str = "", lead: str = "", css: str = "", id: str = "",
         href: str = "", href_label: str = "", is_flush: bool = False) -> str:
    """A box with a heading; `is_flush` for a table that touches its edges, `href` for a link in the heading."""
    return render_to_string("components/card.html", {
        "title": title, "lead": lead, "css": css, "id": id, "href": href, "href_label": href_label,
        "is_flush": is_flush, "content": SafeString(content)})


@register.simple_block_tag(takes_context=True, end_name="endempty")
def empty(context: template.Context, content: str, title: str, text: str = "", icon: str = "box") -> str:
    """What stands where there is nothing: why, and the one thing to do about it (the block's content)."""
    return render_to_string("components/empty.html", {"title": title, "text": text, "icon": icon,
                                                      "action": SafeString(content.strip())})


@register.simple_block_tag(takes_context=True, end_name="endfilter_bar")
def filter_bar(context: template.Context, content: str, search: str = "", placeholder: str = "", clear: str = "",
               label: str = "") -> str:
    """A form that keeps filters in the URL: a search field `q`, then the selects given as content."""
    request = context["request"]
    kept = [(key, value) for key, value in request.GET.items() if key in ("sort", "view")]
    used = [key for key in request.GET if key not in ("sort", "view", "page", "after", "before") and request.GET[key]]
    return render_to_string("components/filter_bar.html", {
        "search": search or request.GET.get("q", ""), "placeholder": placeholder or _("Search"), "kept": kept,
        "fields": SafeString(content), "is_filtered": bool(used), "clear": clear or request.path,
        "label": label or _("Filters")})


@register.simple_tag(takes_context=True)
def filter_select(context: template.Context, name: str, label: str, options: Any, all_label: str = "") -> SafeString:
    """A select of a filter bar: `options` are pairs of value and label, or plain values."""
    chosen = context["request"].GET.get(name, "")
    pairs = [(option, option) if isinstance(option, str) else tuple(option)[:2] for option in options]
    return SafeString(render_to_string("components/filter_select.html", {
        "name": name, "label": label, "chosen": chosen, "options": [(str(value), text) for value, text in pairs],
        "all_label": all_label or _("all")}))


@register.inclusion_tag("components/stat.html")
def stat(label: str, value: Any, note: str = "", icon: str = "", tone: str = "", href: str = "",
         badge: str = "", title: str = "") -> dict[str, Any]:
    """A figure with its name and a line under it; `title` says what it means, to those who point at it."""
    return {"label": label, "value": value, "note": note, "icon": icon, "tone": tone, "href": href, "badge": badge,
            "title": title}


@register.inclusion_tag("components/sort_header.html", takes_context=True)
def sort_header(context: template.Context, field: str, label: str, align: str = "", first: str = "asc",
                default: str = "", title: str = "") -> dict[str, Any]:
    """A column's heading that sorts by `?sort=field` or `?sort=-field`; `first` is the way of the first press."""
    request = context["request"]
    now = request.GET.get("sort", "") or default
    direction = "ascending" if now == field else "descending" if now == f"-{field}" else ""
    flip = {"ascending": f"-{field}", "descending": field}
    query: QueryDict = request.GET.copy()
    for key in ("page", "after", "before"):
        query.pop(key, None)
    query["sort"] = flip.get(direction, f"-{field}" if first == "desc" else field)
    return {"label": label, "direction": direction, "href": f"?{query.urlencode()}", "align": align, "title": title}


@register.inclusion_tag("components/pagination.html", takes_context=True)
def pagination(context: template.Context, page: Any) -> dict[str, Any]:
    """Page numbers for a Django Page, or earlier and later for anything with `previous` and `next` cursors."""
    request = context["request"]

    def href(**changes: Any) -> str:
        query: QueryDict = request.GET.copy()
        for key in ("page", "after", "before"):
            query.pop(key, None)
        query.update({key: str(value) for key, value in changes.items()})
        return f"?{query.urlencode()}"

    if isinstance(page, Page):
        numbers = [(n, href(page=n) if isinstance(n, int) else "")
                   for n in page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)]
        return {"page": page, "numbers": numbers if page.paginator.num_pages > 1 else [],
                "previous": href(page=page.previous_page_number()) if page.has_previous() else "",
                "next": href(page=page.next_page_number()) if page.has_next() else "",
                "first": page.start_index(), "last": page.end_index(), "total": page.paginator.count}
    return {"page": page, "numbers": [], "total": getattr(page, "total", None), "first": getattr(page, "first", None),
            "last": getattr(page, "last", None),
            "previous": href(before=page.previous) if page.previous else "",
            "next": href(after=page.next) if page.next else ""}


@register.simple_tag
def field(bound: BoundField, label: str = "", prefix: str = "", suffix: str = "") -> SafeString:
    """A form's field: label, control in the house's dress, help and errors, all tied together."""
    widget = bound.field.widget
    kind = getattr(widget, "input_type", "")
    css = {"checkbox": "form-check-input", "radio": "form-check-input", "select": "form-select"}.get(kind,
                                                                                                    "form-control")
    is_group = kind in ("checkbox", "radio") and hasattr(widget, "choices") and bool(widget.choices)
    attrs: dict[str, str | bool] = {"class": f"{css} is-invalid" if bound.errors else css}
    described = [f"{bound.id_for_label}_help"] if bound.help_text else []
    if bound.errors:
        described.append(f"{bound.id_for_label}_error")
        attrs["aria-invalid"] = "true"
    if described and not is_group:
        attrs["aria-describedby"] = " ".join(described)
    return SafeString(render_to_string("components/field.html", {
        "field": bound, "control": bound if is_group else bound.as_widget(attrs=attrs), "kind": kind,
        "is_group": is_group, "label": label or bound.label, "prefix": prefix, "suffix": suffix}))


# --- Charts -------------------------------------------------------------------------------------------------------

@register.inclusion_tag("components/chart.html")
def chart(kind: str, id: str, data: dict[str, Any], title: str, size: str = "md", lead: str = "",
          is_titled: bool = True) -> dict[str, Any]:
    """A chart and the table behind it, both from the same data; templates/README.md says what each kind takes.

    Where a card's heading already says the title, `is_titled=False` keeps it for screen readers alone.
    """
    return {"kind": kind, "id": id, "data_id": f"{id}-data", "data": data, "title": title, "size": size, "lead": lead,
            "is_titled": is_titled,
            "table": CHART_TABLES[kind](data)}


Table = dict[str, Any]


def _figure(value: Any, unit: str = "") -> str:
    if value is None or isinstance(value, str):
        return value or "–"
    if unit == "share":
        return share(value, 1)
    if unit.startswith("money:"):
        return money_round(value, unit[6:])
    return units(value)


def _label(value: Any) -> str:
    """A day where the text is one, else the text."""
    text = str(value)
    try:
        return day(dt.date.fromisoformat(text))
    except ValueError:
        return text


def _table_of_lines(data: dict[str, Any]) -> Table:
    unit = data.get("unit", "")
    columns = [data.get("x_label") or _("Day"), *(series["name"] for series in data["series"])]
    bands = data.get("bands", [])
    columns += [_("%(band)s, from – to") % {"band": band["name"]} for band in bands]
    rows = [[_label(x), *(_figure(series["values"][n], unit) for series in data["series"]),
             *(f"{_figure(band['low'][n], unit)} – {_figure(band['high'][n], unit)}"
               if band["low"][n] is not None else "–" for band in bands)]
            for n, x in enumerate(data["x"])]
    notes = [f"{_label(span['from'])} – {_label(span['to'])}: {span['label']}" for span in data.get("spans", [])]
    notes += [f"{_label(marker['x'])}: {marker['label']}" for marker in data.get("markers", [])]
    return {"columns": columns, "rows": rows, "notes": notes}


def _table_of_waterfall(data: dict[str, Any]) -> Table:
    unit = data.get("unit", "")
    return {"columns": [_("Step"), _("Quantity")],
            "rows": [[step["label"], sign(_figure(step["value"], unit)) if step.get("kind", "part") == "part"
                      else _figure(step["value"], unit)] for step in data["steps"]],
            "notes": [f"{step['label']}: {step['note']}" for step in data["steps"] if step.get("note")]}


def _table_of_calibration(data: dict[str, Any]) -> Table:
    nominal = sorted({point[0] for series in data["series"] for point in series["points"]})
    found = [dict(map(tuple, series["points"])) for series in data["series"]]
    return {"columns": [_("Band promised"), *(_("%(name)s: really inside") % {"name": series["name"]}
                                              for series in data["series"])],
            "rows": [[share(level), *(_figure(points.get(level), "share") for points in found)] for level in nominal],
            "notes": []}


def _table_of_heatmap(data: dict[str, Any]) -> Table:
    unit = data.get("unit", "")
    return {"columns": [data.get("y_label", ""), *map(_label, data["x"])],
            "rows": [[_label(name), *(_figure(value, unit) for value in data["values"][n])]
                     for n, name in enumerate(data["y"])], "notes": []}


CHART_TABLES = {"line": _table_of_lines, "bars": _table_of_lines, "waterfall": _table_of_waterfall,
                "calibration": _table_of_calibration, "heatmap": _table_of_heatmap}


@register.simple_tag(takes_context=True)
def may(context: template.Context, permission: str) -> bool:
    """Whether the person at the page has a permission in this shop."""
    membership = getattr(context.get("request"), "membership", None)
    return bool(membership and membership.may(permission))


@register.filter
def plain_facts(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """A report in JSON as names and values to read; what is nested deeper is counted."""
    def said(value: Any) -> str:
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        if isinstance(value, int | float):
            return number(value, 0 if float(value) == round(value) else 2)
        if isinstance(value, list):
            plain = all(isinstance(each, str | int | float) for each in value)
            return ", ".join(map(said, value)) if plain and len(value) <= 8 else ngettext(
                "%(n)d entry", "%(n)d entries", len(value)) % {"n": len(value)}
        if isinstance(value, dict):
            return ", ".join(f"{key.replace('_', ' ')} {said(each)}" for key, each in list(value.items())[:6])
        if isinstance(value, str) and len(value) == len("2017-12-04"):
            with suppress(ValueError):
                return day(value)
        return str(value) if value not in (None, "") else "–"

    return [(name.replace("_", " "), said(value)) for name, value in facts.items()]
