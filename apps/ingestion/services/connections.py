"""Shops that send deliveries by themselves: connected, recorded raw, then applied."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import secrets
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.catalog import selectors as catalog
from apps.catalog.services import main_location, make_channel
from apps.ingestion.adapters import shopify
from apps.ingestion.adapters.dialects import FileRefused
from apps.ingestion.adapters.people import pseudonym
from apps.ingestion.adapters.sealing import NotOurs, seal, unseal
from apps.ingestion.adapters.shopify import NotUnderstood
from apps.ingestion.models import Connection, Delivery
from apps.ingestion.services.staging import (
    STAGED_LINES,
    TWO_TITLES,
    fill_gaps,
    find_by_title,
    find_items,
    make_items,
    pseudonym_key,
    run,
)
from apps.jobs.services import enqueue
from apps.sales.services import record_lines
from apps.tenants.figures import units
from apps.tenants.models import User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import record_audit

if TYPE_CHECKING:
    from apps.catalog.models import Channel

SHOPIFY = "shopify"  # the catalog's kind of channel


def _sealing_key() -> bytes:
    return hashlib.sha256(f"connection secrets of tenant {current_tenant_id()}:{settings.SECRET_KEY}".encode()).digest()


@transaction.atomic
def connect_shopify(*, name: str, shop_domain: str, secret: str, actor: User | None) -> tuple[Connection, str]:
    """Let a Shopify shop send its orders; the secret that signs them, shown once.

    Without a secret of the shop's own, one is made, for whoever sends in Shopify's way. Connecting a shop again
    replaces its secret.
    """
    domain = re.sub(r"^https?://|/.*$", "", shop_domain.strip().lower())[:200]
    if domain and not re.fullmatch(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+", domain):
        raise FileRefused(_("Write the shop's address as in my-shop.myshopify.com."))
    taken = (Connection.objects.select_for_update()
             .filter(shop_domain=domain, channel__kind=SHOPIFY).first())
    shown = secret.strip() or secrets.token_urlsafe(32)
    if taken is None:
        others = Connection.objects.filter(channel__slug=SHOPIFY).exists()
        channel = make_channel(slug=domain.replace(".", "-") or SHOPIFY if others else SHOPIFY,
                               name=name or "Shopify", kind=SHOPIFY)
        taken = Connection(channel=channel, shop_domain=domain)
    taken.name = (name.strip() or domain or "Shopify")[:120]
    taken.secret = seal(_sealing_key(), shown)
    taken.is_active = True
    taken.save()
    record_audit(tenant=tenant_by_id(current_tenant_id()), actor=actor, action="connection.made", target=taken.name)
    return taken, shown


@transaction.atomic
def disconnect(*, connection_id: int, actor: User | None) -> None:
    """Take no more deliveries from a shop; what came stays. Connection.DoesNotExist where there is no such one."""
    found = Connection.objects.select_for_update().get(pk=connection_id)
    if found.is_active:
        found.is_active = False
        found.save(update_fields=["is_active"])
        record_audit(tenant=tenant_by_id(current_tenant_id()), actor=actor, action="connection.closed",
                     target=found.name)


def signed_by(*, body: bytes, signature: str, shop_domain: str) -> Connection | None:
    """The live connection whose secret signed this body; None where none did.

    Several shops of one app may share a secret: where the sender names its shop, only that one's connection is meant.
    Where there is no connection, about as much is reckoned, so that the time tells nobody that there is none.
    """
    live = [each for each in Connection.objects.filter(is_active=True).order_by("pk")
            if not shop_domain or not each.shop_domain or each.shop_domain == shop_domain]
    if not live:
        shopify.is_signed(body, unseal(_sealing_key(), seal(_sealing_key(), "")), signature)
    for each in live:
        try:
            secret = unseal(_sealing_key(), each.secret)
        except NotOurs:
            continue
        if shopify.is_signed(body, secret, signature):
            found: Connection = each
            return found
    return None


@transaction.atomic
def record_delivery(*, source: Connection, topic: str, delivery_id: str, body: bytes) -> tuple[Delivery, bool]:
    """Keep a delivery as it came and ask for its job; (the delivery, whether it is new).

    The same delivery again is counted, and asks for nothing; one that was rejected, or of which lines were, is tried
    again.
    """
    digest = hashlib.sha256(body).hexdigest()
    delivery, is_new = Delivery.objects.get_or_create(
        connection=source, delivery_id=(delivery_id or digest)[:120], tenant_id=current_tenant_id(),
        defaults={"topic": topic[:60], "sha256": digest, "body": body})
    if not is_new:
        Delivery.objects.filter(pk=delivery.pk).update(times_received=F("times_received") + 1)
    if not is_new and delivery.state != Delivery.State.REJECTED and not _has_refused(delivery):
        return delivery, False
    if topic in shopify.TOPICS:
        enqueue(kind_name="ingestion.apply_delivery", input={"delivery_id": delivery.pk},
                dedupe_key=f"delivery-{delivery.pk}")
    else:
        delivery.state, delivery.error = Delivery.State.REJECTED, _("Nothing is done with “%(topic)s”.") % {
            "topic": topic[:60]}
        delivery.save(update_fields=["state", "error"])
    return delivery, is_new


def _has_refused(delivery: Delivery) -> bool:
    return bool(delivery.outcome.get("rejected"))


@transaction.atomic
def reject_delivery(*, delivery_pk: int, reason: str) -> None:
    """Keep why nothing came of a delivery; one that was applied stays as it is."""
    Delivery.objects.filter(pk=delivery_pk, state__in=(Delivery.State.PENDING, Delivery.State.REJECTED)).update(
        state=Delivery.State.REJECTED, error=reason[:500], applied_at=timezone.now())


_STAGE = """
INSERT INTO ingestion_lines (row_number, channel_id, external_line_id, has_line_id, order_id, sku, has_sku, title,
    location_id, customer, quantity, shelf_price, paid_price, discount, promotion, currency, occurred_at, version_at,
    source)
VALUES (%s, %s, %s, false, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

_FIND_BY_SKU = """
UPDATE ingestion_lines line SET item_id = same.item_id
FROM (SELECT sku, min(id) AS item_id FROM catalog_item WHERE tenant_id = %(tenant)s
      AND sku IN (SELECT sku FROM ingestion_lines) GROUP BY sku HAVING count(*) = 1) same
WHERE line.item_id IS NULL AND same.sku = line.sku
"""


@transaction.atomic
def apply_delivery(*, delivery_pk: int) -> Delivery:
    """Write what a delivery says into the ledger; NotUnderstood where it is no order.

    Again, or after a newer one, it changes nothing. One that was rejected, or of which lines were, is read anew:
    someone asked for it again.
    """
    delivery: Delivery = Delivery.objects.select_for_update().get(pk=delivery_pk)
    was_applied = delivery.state == Delivery.State.APPLIED
    if (was_applied or delivery.state == Delivery.State.DUPLICATE) and not _has_refused(delivery):
        return delivery
    source = Connection.objects.select_related("channel").get(pk=delivery.connection_id)
    try:
        body = json.loads(bytes(delivery.body))
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(_("The body is not JSON, or nested too deep.")) from error
    if not isinstance(body, dict):
        raise NotUnderstood(_("The body is not an object."))
    order = shopify.to_sale_lines(body)
    latest = timezone.now() + dt.timedelta(days=1)  # a day beyond today, by any clock on earth
    if max(order.occurred_at, order.version_at) > latest:  # a version of next year would outdo all that follow
        raise NotUnderstood(_("created_at or updated_at lies in the future."))
    if order.is_test:
        delivery.outcome = {"lines": len(order.lines), "applied": 0, "unchanged": 0,
                            "set_aside": {"test": len(order.lines)}, "rejected": {}}
    else:
        delivery.outcome = _apply_order(order, source.channel, delivery.pk)
    changed = delivery.outcome["applied"]
    refused = sum(delivery.outcome["rejected"].values())
    delivery.state = (Delivery.State.APPLIED if changed or was_applied or order.is_test else
                      Delivery.State.REJECTED if refused else Delivery.State.DUPLICATE)
    delivery.error = ngettext(
        "%(n)s line has no SKU, and several items have its title: give it its SKU in the shop.",
        "%(n)s lines have no SKU, and several items have their titles: give them their SKUs in the shop.", refused) % {
        "n": units(refused)} if refused else ""
    delivery.applied_at = timezone.now()
    delivery.save(update_fields=["state", "outcome", "error", "applied_at"])
    return delivery


def _apply_order(order: shopify.Order, channel: Channel, delivery_pk: int) -> dict[str, Any]:
    tenant = tenant_by_id(current_tenant_id())
    given = {"tenant": tenant.pk, "channel": channel.pk}
    is_foreign = bool(order.currency) and order.currency != tenant.currency
    customer = pseudonym(pseudonym_key(tenant.pk), order.customer) if order.customer else ""
    location_id = main_location().pk
    aside: dict[str, int] = {}
    rows = []
    for number, line in enumerate(order.lines):
        if line.rule:
            aside[line.rule] = aside.get(line.rule, 0) + 1
            continue
        money = [None, None, 0] if is_foreign else [line.shelf_price or None, line.paid_price, line.discount]
        rows.append([number, channel.pk, line.external_line_id, order.order_id, line.sku,
                     line.has_sku, line.title, location_id, customer, line.quantity, *money,
                     order.promotion, order.currency or tenant.currency, order.occurred_at,
                     order.version_at, f"delivery {delivery_pk}"])
    run(STAGED_LINES)
    with connection.cursor() as cursor:
        cursor.executemany(_STAGE, rows)
        find_items(channel=channel, table="ingestion_lines")
        cursor.execute(_FIND_BY_SKU, given)
        find_by_title()
        found = catalog.not_goods_sql("thing")
        cursor.execute(f"""
            DELETE FROM ingestion_lines line USING (
                SELECT line.row_number, {found} AS rule FROM ingestion_lines line LEFT JOIN LATERAL (
                    SELECT coalesce(item.category, '') AS category, coalesce(item.title, line.title, '') AS title
                    FROM (SELECT 1) one LEFT JOIN catalog_item item ON item.tenant_id = %(tenant)s
                         AND item.id = line.item_id) thing ON true) judged
            WHERE judged.row_number = line.row_number AND judged.rule IS NOT NULL RETURNING judged.rule""",
                       given)
        for (rule,) in cursor.fetchall():
            aside[rule] = aside.get(rule, 0) + 1
        cursor.execute(f"DELETE FROM ingestion_lines USING ({TWO_TITLES}) two "
                       "WHERE two.row_number = ingestion_lines.row_number")
        refused = cursor.rowcount
        cursor.execute("DROP TABLE ingestion_titles")
    make_items(channel=channel, table="ingestion_lines")
    fill_gaps()
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT item_id FROM ingestion_lines ORDER BY item_id")
        items = [int(item_id) for (item_id,) in cursor.fetchall()]
    recorded = record_lines(rows="ingestion_lines")
    run("DROP TABLE ingestion_lines")
    return {"lines": len(order.lines), "applied": recorded.made + recorded.corrected,
            "unchanged": recorded.unchanged, "set_aside": aside,
            "rejected": {"two_titles": refused} if refused else {}, "items": items}
