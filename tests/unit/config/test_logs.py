"""Log lines carry their tenant and never a secret."""

import json
import time
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from config.logs import HIDDEN, hide_secrets

SECRET = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12, max_size=40).map("Zq".__add__)
SECRET_NAMES = ["password", "new_password1", "secret_key", "SECRET_KEY", "api_key", "apikey", "token", "csrf_token",
                "authorization", "Cookie", "sessionid_cookie", "hmac", "X-Shopify-Hmac-Sha256", "session_key",
                "DATABASE_URL", "webhook_secret"]


def written(event: dict[str, Any]) -> str:
    return json.dumps(hide_secrets(None, "info", event))


@given(secret=SECRET, name=st.sampled_from(SECRET_NAMES), depth=st.integers(0, 3))
def test_a_secret_under_its_name_is_hidden_at_any_depth(secret: str, name: str, depth: int) -> None:
    event: Any = {name: secret}
    for _level in range(depth):
        event = {"data": [event]}
    assert secret not in written({"event": "something", **event})


@given(secret=SECRET, template=st.sampled_from([
    "GET /orders/?token={}&page=2", "GET /orders/?a?my_token={}",
    "POST /hooks/1/?hmac={}", "GET /accounts/password/reset/key/{}/",
    "GET /accounts/confirm-email/{}/", "GET /invitations/{}/", "Connected to redis://:{}@127.0.0.1:6379/0",
    "postgres://app:{}@db/stockwright refused",
]))
def test_a_secret_inside_an_address_is_hidden(secret: str, template: str) -> None:
    line = written({"request": template.format(secret)})
    assert secret not in line
    assert HIDDEN in line


@pytest.mark.parametrize("piece", [
    "9", "a", "?", "?key", "&token", "a://", "a://:", "a://b:c", "/invitations/", "?key="])
def test_a_line_takes_time_by_its_length_and_not_by_its_square(piece: str) -> None:
    def seconds(length: int) -> float:
        event = {"request": (piece * length)[:length]}
        began = time.perf_counter()
        hide_secrets(None, "info", event)
        return time.perf_counter() - began

    # the square would take a hundred times as long; a floor keeps the clock's own noise out
    assert min(seconds(200_000) for _turn in range(3)) < 40 * max(min(seconds(20_000) for _turn in range(3)), 1e-3)


@given(st.dictionaries(st.sampled_from(["event", "request_id", "tenant_id", "code", "task", "rows"]),
                       st.integers() | st.text(st.characters(codec="ascii", categories=["L"]))))
def test_what_is_no_secret_is_left_as_it_is(event: dict[str, Any]) -> None:
    assert hide_secrets(None, "info", event) == event


def test_a_line_names_its_request_and_tenant(caplog: pytest.LogCaptureFixture) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1", tenant_id=7), caplog.at_level("INFO"):
        structlog.get_logger("apps.test").info("something_happened", rows=3)
    record: Any = caplog.records[-1]
    assert {"request_id": "r-1", "tenant_id": 7, "rows": 3, "event": "something_happened"}.items() <= record.msg.items()
