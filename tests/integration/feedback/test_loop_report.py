"""The loop's report: one for each shop of the demo, whole, and its lines add up."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.catalog.models import Channel
from apps.ingestion.models import ImportFile
from apps.tenants.scope import tenant_context
from tests.integration.forecasting.selling_shops import make_selling_shop, run_job
from tests.integration.inventory.shops import Shop, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(settings: Any, tmp_path: Path) -> Shop:
    """A demo shop with 100 order lines read, forecast, planned, replayed and proved."""
    settings.MEDIA_ROOT = tmp_path
    shop = make_selling_shop(4, slug="home-health")
    with tenant_context(shop.tenant.pk):
        channel = Channel.objects.create(slug="till", name="Till")
        ImportFile.objects.create(
            kind="orders", channel=channel, name="orders.csv", sha256="0" * 64, size=1, path="x", state="applied",
            rows_read=100, rows_applied=90, rows_duplicate=3, rows_set_aside=5, rows_rejected=2,
            rules={"set_aside": {"fuel": 5}, "rejected": {"quantity": 2}})
    for name in ("forecasting.forecast", "optimization.plan", "feedback.proof"):
        run_job(shop, name)
    run_job(shop, "feedback.replay", weeks=2)
    return shop


def test_the_report_tells_the_whole_loop_and_its_lines_add_up(demo: Shop) -> None:
    out = StringIO()
    call_command("loop_report", "--json", "-", stdout=out)
    report = json.loads(out.getvalue())["home-health"]
    lines = report["lines"]
    assert lines["adds_up"] is True
    assert lines["read"] == lines["applied"] + lines["already_known"] + lines["set_aside"] + lines["rejected"] == 100
    assert lines["set_aside_by_rule"] == {"fuel": 5}
    assert report["forecast"]["series"] == 4
    assert report["contest"] is None
    assert report["plan"]["lines"] >= 1
    assert report["orders_placed"] == {"orders": 0, "lines": 0, "money": 0.0}
    assert len(report["replay"]) == 2
    assert report["replay"][0]["plan"]["lines"] >= 1
    assert report["proof"]["low"] <= report["proof"]["gain"] <= report["proof"]["high"]
    assert {"forecasting.forecast", "optimization.plan", "feedback.replay", "feedback.proof"} <= set(report["seconds"])


def test_the_report_in_words_names_the_same_things(demo: Shop) -> None:
    out = StringIO()
    call_command("loop_report", "--shop", "home-health", stdout=out)
    for words in ("home-health", "adds up: yes", "set aside by rule:", "proof:", "seconds:"):
        assert words in out.getvalue()


def test_without_a_demo_it_says_how_to_get_one() -> None:
    make_shop(1)
    with pytest.raises(CommandError, match="make demo"):
        call_command("loop_report")
