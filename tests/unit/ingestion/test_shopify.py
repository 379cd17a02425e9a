"""A Shopify order's lines, and the secret that proves whose it is."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ingestion.adapters.people import pseudonym
from apps.ingestion.adapters.sealing import NotOurs, seal, unseal
from apps.ingestion.adapters.shopify import NotUnderstood, is_signed, to_sale_lines

BODY: dict[str, Any] = {
    "id": 450789469, "name": "#1001", "created_at": "2026-01-05T10:00:00-05:00",
    "updated_at": "2026-01-05T10:00:01-05:00", "currency": "USD", "email": "Ann@example.test", "test": False,
    "financial_status": "paid", "cancelled_at": None, "location_id": None, "discount_codes": [{"code": "TEN"}],
    "line_items": [
        {"id": 1, "sku": "A-1", "name": "Apple", "quantity": 2, "current_quantity": 2, "price": "5.00",
         "gift_card": False, "discount_allocations": [{"amount": "1.00"}], "total_discount": "0.00"},
        {"id": 2, "sku": "A-1", "name": "Apple", "quantity": 1, "current_quantity": 1, "price": "5.00",
         "gift_card": False, "discount_allocations": [], "total_discount": "0.00"},
        {"id": 3, "sku": "", "name": "Card", "quantity": 1, "current_quantity": 1, "price": "25.00",
         "gift_card": True, "discount_allocations": [], "total_discount": "0.00"}],
}


def test_lines_carry_what_was_sold_at_which_price() -> None:
    order = to_sale_lines(BODY)
    first, second, card = order.lines
    assert (order.order_id, order.promotion, order.customer) == ("#1001", "TEN", "Ann@example.test")
    assert not order.is_test
    assert order.occurred_at == dt.datetime(2026, 1, 5, 15, tzinfo=dt.UTC)
    assert (first.quantity, first.shelf_price, first.paid_price, first.discount) == (
        Decimal(2), Decimal("5.00"), Decimal("4.5"), Decimal(1))
    assert (first.external_line_id, second.external_line_id) == ("#1001/A-1#1", "#1001/A-1#2")
    assert (card.sku, card.rule) == ("Card", "gift_card")


def test_a_cancelled_order_keeps_its_lines_and_sold_nothing() -> None:
    order = to_sale_lines({**BODY, "cancelled_at": "2026-01-06T10:00:00-05:00"})
    assert [line.quantity for line in order.lines] == [0, 0, 0]


def test_a_refunded_unit_is_taken_off() -> None:
    line = {**BODY["line_items"][0], "current_quantity": 1}
    found = to_sale_lines({**BODY, "line_items": [line]}).lines[0]
    assert (found.quantity, found.paid_price, found.discount) == (Decimal(1), Decimal("4.5"), Decimal("0.5"))


@pytest.mark.parametrize("broken", [
    {"name": "", "id": None}, {"line_items": None}, {"created_at": None}, {"created_at": "yesterday"},
    {"created_at": "2026-01-05T10:00:00"}, {"line_items": [{"sku": "A", "quantity": "two", "price": "1"}]},
    {"line_items": [{"sku": "A", "quantity": 1, "price": "NaN"}]}, {"line_items": [{"quantity": 1, "price": "1"}]},
    {"line_items": ["x"]}, {"customer": "abc", "email": ""}, {"discount_codes": "abc"}, {"discount_codes": [1]},
    {"currency": "D" * 500}, {"name": "zero \0"}, {"email": "half \ud800"}, {"created_at": 5.5},
    {"line_items": [{"sku": "A\0", "quantity": 1, "price": "1"}]}, {"line_items": [{"sku": ["A"], "quantity": 1}]},
    {"line_items": [{"sku": "A", "quantity": -1, "price": "1"}]},
    {"line_items": [{"sku": "A", "quantity": 1, "price": "-0.01"}]},
    {"line_items": [{"sku": "A", "quantity": 1, "price": "1e400"}]},
    {"line_items": [{"sku": "A", "quantity": 1, "price": "1", "discount_allocations": {"amount": 1}}]},
    {"line_items": [{"sku": "A", "quantity": 1, "price": "1", "total_discount": "2"}]},
    {"line_items": [{"sku": "A", "quantity": 10**9, "price": 10**9}]},
    {"line_items": [{"sku": "A", "quantity": "1e-300", "current_quantity": 10**9, "price": 10**9}]},
])
def test_a_body_that_is_no_order_says_what_is_missing_in_the_readers_language(broken: dict[str, Any]) -> None:
    with (pytest.raises(NotUnderstood, match=r"^translated: "),
          mock.patch("apps.ingestion.adapters.shopify._", lambda words: f"translated: {words}")):
        to_sale_lines({**BODY, **broken})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([*BODY, *BODY["line_items"][0], "1.00", "2026-01-05T10:00:00Z", "\ud800", "\0", 10 ** 400, 10**9,
                     "1e-9", "2026-01-05T10:00:00+05:00:00.000001"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([*BODY, *BODY["line_items"][0], "code", "amount"]), inner, max_size=6), max_leaves=12)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """An order in which anything may be something else."""
    line = draw(st.dictionaries(st.sampled_from(list(BODY["line_items"][0])), json_values, max_size=3))
    more = draw(st.dictionaries(st.sampled_from(list(BODY)), json_values, max_size=2))
    return {**BODY, "line_items": [{**BODY["line_items"][0], **line}], **more}


@given(bodies())
def test_whatever_a_body_says_it_is_an_order_or_refused_in_words(body: dict[str, Any]) -> None:
    try:
        order = to_sale_lines(body)
    except NotUnderstood as refused:
        assert str(refused).endswith(".")
        return
    assert order.occurred_at.tzinfo is order.version_at.tzinfo is dt.UTC
    texts = [order.order_id, order.currency, order.customer, order.promotion,
             *(text for each in order.lines for text in (each.sku, each.title, each.external_line_id))]
    assert not any("\0" in text for text in texts) and "".join(texts).encode()
    assert all(0 <= number <= Decimal("1e9") for each in order.lines for number in (
        each.quantity, each.shelf_price, each.paid_price, each.discount))


def test_only_the_right_secret_over_the_very_bytes_signs() -> None:
    body = b'{"name": "#1001"}'
    signature = base64.b64encode(hmac.digest(b"secret", body, hashlib.sha256)).decode()
    assert is_signed(body, "secret", signature)
    assert not is_signed(body + b" ", "secret", signature)
    assert not is_signed(body, "Secret", signature)
    assert not is_signed(body, "secret", "")


@given(st.text(max_size=200), st.binary(min_size=1, max_size=64))
def test_a_sealed_secret_opens_under_its_own_key_alone(secret: str, key: bytes) -> None:
    sealed = seal(key, secret)
    assert unseal(key, sealed) == secret
    assert seal(key, secret) != sealed
    if len(secret) > 3:
        assert secret not in sealed
    with pytest.raises(NotOurs):
        unseal(key + b"x", sealed)


def test_a_sealed_secret_that_was_touched_does_not_open() -> None:
    sealed = seal(b"key", "a signing secret")
    for place in range(len(sealed)):
        touched = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1:]
        try:
            assert unseal(b"key", touched) == "a signing secret"  # base64's last bits may say the same bytes
        except NotOurs:
            continue


def test_a_pseudonym_tells_customers_apart_and_names_nobody() -> None:
    assert pseudonym(b"k", "Ann@example.test ") == pseudonym(b"k", "ann@example.test")
    assert pseudonym(b"k", "ann@example.test") != pseudonym(b"other", "ann@example.test")
    assert len(pseudonym(b"k", "bob")) == 24
    assert "ann" not in pseudonym(b"k", "ann")


def test_a_signature_of_other_letters_than_base64_is_a_wrong_one() -> None:
    assert not is_signed(b"{}", "secret", "\xe9")
