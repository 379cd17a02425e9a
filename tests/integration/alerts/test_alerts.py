"""The same trouble is one alert, until someone resolves it; a job that fails for good raises one."""

from __future__ import annotations

import pytest
from django.utils import timezone

from apps.alerts import selectors, services
from apps.alerts.models import Alert
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.running import Running
from apps.tenants.scope import tenant_context
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import Shop, make_shop

pytestmark = pytest.mark.django_db


def drift(severity: str = "warning", subject: str = "dairy", reason: str = "twice outside its range") -> Alert:
    return services.raise_alert(code="accuracy.drift", subject=subject, severity=severity, title="Forecasts drift",
                                reason=reason, link="/accuracy/")


def test_the_same_thing_while_it_is_open_is_one_alert_and_later_a_new_one() -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        first = drift()
        again = drift(reason="thrice")
        assert (again.pk, again.reason) == (first.pk, "thrice")
        assert drift(subject="meat").pk != first.pk
        services.resolve(alert_id=first.pk)
        assert drift().pk != first.pk
        assert selectors.open_alerts().count() == 2
        assert selectors.resolved_alerts().get() == first


def test_the_worst_come_first_and_what_was_seen_and_grew_worse_is_open_again() -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        mild, bad = drift("info"), drift("critical", "meat")
        assert list(selectors.open_alerts()) == [bad, mild]
        services.mark_seen(alert_id=mild.pk)
        assert Alert.objects.get(state="open") == bad
        assert drift("info").state == "seen"
        assert drift("warning").state == "open"
        assert services.resolve_of(code="accuracy.drift", subject="dairy") == 1
        assert list(selectors.open_alerts()) == [bad]


def test_a_job_that_failed_for_good_raises_an_alert_once() -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        asked = [jobs.enqueue(kind_name="optimization.plan", input={}) for _ in range(2)]
    for job in asked:
        Job.objects.filter(pk=job.pk).update(state="running", attempts=1, started_at=timezone.now())
        jobs.fail(running=Running(job_id=job.pk, tenant_id=shop.tenant.pk, kind=job.kind, attempt=1, input={}),
                  reason="There is no forecast to plan with yet.", is_final=True)
    with tenant_context(shop.tenant.pk):
        alert = selectors.open_alerts().get()
        assert (alert.code, alert.subject, alert.link) == ("job.failed", "optimization.plan", f"/jobs/{asked[1].pk}/")
        assert "no forecast" in alert.reason


def alert_of(shop: Shop) -> Alert:
    with tenant_context(shop.tenant.pk):
        return drift()


def test_alerts_are_seen_and_resolved_on_their_page() -> None:
    shop = make_shop(1)
    client, alert = signed_in(shop), alert_of(shop)
    assert "Forecasts drift" in page(client, "/alerts/")
    assert client.post(f"/alerts/{alert.pk}/seen/").status_code == 302
    assert "Resolve" in page(client, "/alerts/")
    assert client.post(f"/alerts/{alert.pk}/resolve/").status_code == 302
    assert "Nothing needs you" in page(client, "/alerts/")
    assert "Forecasts drift" in page(client, "/alerts/?view=resolved")


def test_viewers_look_and_outsiders_find_nothing() -> None:
    shop = make_shop(1)
    alert = alert_of(shop)
    viewer, outsider = signed_in(shop, "viewer"), signed_in(make_shop(1), "owner")
    text = page(viewer, "/alerts/")
    assert "Forecasts drift" in text and "/resolve/" not in text
    assert viewer.post(f"/alerts/{alert.pk}/resolve/").status_code == 403
    assert "Forecasts drift" not in page(outsider, "/alerts/")
    assert outsider.post(f"/alerts/{alert.pk}/resolve/").status_code == 404
    with tenant_context(shop.tenant.pk):
        assert Alert.objects.get().state == "open"
