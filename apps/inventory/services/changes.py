"""Lets rooms above follow what people do to an item's stock and orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from django.db import transaction

from apps.tenants.scope import current_tenant_id, tenant_context

_on_items_changed: list[Callable[[Sequence[int]], None]] = []
_on_lines_dropped: list[Callable[[Sequence[int]], None]] = []


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
    """Let a room above hear of recommendations whose order was cancelled before anything of them came in.

    It is called in the transaction that cancels.
    """
    if hook not in _on_lines_dropped:
        _on_lines_dropped.append(hook)


def tell_lines_dropped(*, recommendation_ids: Sequence[int]) -> None:
    if recommendation_ids:
        for hook in _on_lines_dropped:
            hook(recommendation_ids)


def _tell(tenant_id: int, item_ids: Sequence[int]) -> None:
    with tenant_context(tenant_id):
        for hook in _on_items_changed:
            hook(item_ids)
