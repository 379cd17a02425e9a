"""Lets rooms above follow what people do to an item's stock and orders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.tenants.scope import current_tenant_id, tenant_context

_on_items_changed: list[Callable[[Sequence[int]], None]] = []
_on_lines_dropped: list[Callable[[Sequence[int]], None]] = []
_on_line_edited: list[Callable[[LineEdit], str]] = []


class ReasonMissing(ValueError):
    """Another quantity than the one advised, or none, needs a reason."""


class OddLot(ValueError):
    """Another quantity than advised breaks packs or minimum, or is far more, which somebody has to want; says which."""


@dataclass(frozen=True, kw_only=True)
class LineEdit:
    """Another quantity on a draft's line than the one that its recommendation was decided with.

    One that is no whole packs, below the minimum or far more than advised is an OddLot, unless it `may_be_odd`.
    """

    recommendation_id: int
    order_id: int
    quantity: int
    reason: str
    may_be_odd: bool
    as_of: dt.date
    decided_by: str


def on_items_changed(hook: Callable[[Sequence[int]], None]) -> None:
    """Let a room above hear, in the tenant's scope, of items whose stock, orders or advice somebody has changed."""
    if hook not in _on_items_changed:
        _on_items_changed.append(hook)


def tell_items_changed(*, item_ids: Iterable[int]) -> None:
    """Tell once the change is committed: what follows holds nothing up, and undoes nothing where it fails."""
    tenant_id, changed = current_tenant_id(), sorted(set(item_ids))
    if changed:
        transaction.on_commit(lambda: _tell(tenant_id, changed), robust=True)


def on_lines_dropped(hook: Callable[[Sequence[int]], None]) -> None:
    """Let a room above hear of recommendations whose order was cancelled, or that were taken off it, before anything of
    them came in.

    It is called in the transaction that does so.
    """
    if hook not in _on_lines_dropped:
        _on_lines_dropped.append(hook)


def tell_lines_dropped(*, recommendation_ids: Sequence[int]) -> None:
    if recommendation_ids:
        for hook in _on_lines_dropped:
            hook(recommendation_ids)


def on_line_edited(hook: Callable[[LineEdit], str]) -> None:
    """Let a room above weigh another quantity of what it advised: it refuses it, or says what the line is to note.

    It is called in the transaction that edits.
    """
    if hook not in _on_line_edited:
        _on_line_edited.append(hook)


def tell_line_edited(edit: LineEdit) -> str:
    """What the line notes from now on."""
    return " ".join(filter(None, (hook(edit) for hook in _on_line_edited)))


def _tell(tenant_id: int, item_ids: Sequence[int]) -> None:
    with tenant_context(tenant_id):
        for hook in _on_items_changed:
            hook(item_ids)
