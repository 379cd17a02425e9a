"""Jobs as people see them: live, readable to the end, and stopped or run again only by those who may."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.jobs.models import Job, JobRecord
from apps.tenants.scope import tenant_context
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import Shop, make_shop

pytestmark = pytest.mark.django_db

HTMX: dict[str, Any] = {"headers": {"HX-Request": "true"}}


@pytest.fixture
def shop() -> Shop:
    return make_shop(0)


def make_job(shop: Shop, state: str, note: str = "", **fields: object) -> Job:
    now = timezone.now()
    is_over = state in ("done", "failed", "cancelled")
    job: Job = Job.objects.create(**{
        "tenant": shop.tenant, "kind": "portal.refresh", "queue": "light", "state": state, "attempts": 1,
        "started_at": None if state == "queued" else now - dt.timedelta(seconds=65),
        "finished_at": now if is_over else None, **fields})
    with tenant_context(shop.tenant.pk):
        JobRecord.objects.create(job=job, input={"as_of": "2017-12-04"}, note=note, result={"items": 1234},
                                 story=[{"at": now.isoformat(), "text": "Asked for."},
                                        {"at": now.isoformat(), "text": "It broke.", "trace": "Traceback <x>"}])
    return job


def test_what_runs_is_shown_with_progress_and_note_and_what_is_over_with_its_reason(shop: Shop) -> None:
    running = make_job(shop, "running", "LightGBM, cutoff 3 of 4", progress=0.42)
    make_job(shop, "failed", "There is no forecast yet.")
    text = page(signed_in(shop, "viewer"), "/jobs/")
    assert "LightGBM, cutoff 3 of 4" in text and 'value="42"' in text and "There is no forecast yet." in text
    assert f'hx-vals=\'{{"shown": "{running.pk}"}}\'' in text


def test_a_waiting_job_says_what_it_waits_for_and_a_running_one_when_it_was_taken_up_again(shop: Shop) -> None:
    waiting, client = make_job(shop, "queued"), signed_in(shop)
    make_job(make_shop(0), "running", kind="forecasting.renew")
    for path in ("/jobs/", f"/jobs/{waiting.pk}/", f"/jobs/{waiting.pk}/progress/"):
        text = page(client, path)
        assert "waits for its turn" in text and "waits for “" not in text
    ahead = make_job(shop, "running", kind="ingestion.apply_file", attempts=2)
    for path in ("/jobs/", f"/jobs/{waiting.pk}/", f"/jobs/{waiting.pk}/progress/"):
        assert "waits for “Read a file”" in page(client, path)
    assert "Taken up again" in page(client, "/jobs/") and "attempt 2" in page(client, f"/jobs/{ahead.pk}/progress/")
    Job.objects.filter(pk=waiting.pk).update(run_after=timezone.now() + dt.timedelta(seconds=90))
    assert "seconds more" in page(client, f"/jobs/{waiting.pk}/")


def test_the_list_renews_itself_and_reloads_the_page_when_a_job_comes_or_goes(shop: Shop) -> None:
    job, client = make_job(shop, "running", "half way", progress=0.5), signed_in(shop)
    part = client.get(f"/jobs/?shown={job.pk}", **HTMX)
    assert part.status_code == 200 and "half way" in part.content.decode() and b"<html" not in part.content
    Job.objects.update(state="done", finished_at=timezone.now())
    gone = client.get(f"/jobs/?shown={job.pk}", **HTMX)
    assert (gone.status_code, gone.headers["HX-Refresh"]) == (204, "true")


def test_a_jobs_bar_stands_on_any_page_until_the_job_is_over(shop: Shop) -> None:
    job, client = make_job(shop, "running", progress=0.3), signed_in(shop)
    assert f'hx-get="/jobs/{job.pk}/progress/"' in page(client, f"/jobs/{job.pk}/progress/")
    Job.objects.update(state="done", finished_at=timezone.now())
    assert client.get(f"/jobs/{job.pk}/progress/").headers["HX-Refresh"] == "true"


def test_a_jobs_page_tells_its_story_and_shows_a_trace_as_text(shop: Shop) -> None:
    text = page(signed_in(shop, "viewer"), f"/jobs/{make_job(shop, 'failed').pk}/")
    assert "Asked for." in text and "Traceback &lt;x&gt;" in text and "1,234" in text and "1 min 5 s" in text
    assert "4 Dec 2017" in text and "2017-12-04" not in text


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("planner", False), ("manager", True), ("owner", True)])
def test_managers_and_owners_stop_jobs_and_run_them_again(shop: Shop, role: str, may: bool) -> None:
    waiting, failed, client = make_job(shop, "queued"), make_job(shop, "failed"), signed_in(shop, role)
    for job, verb, state in ((waiting, "cancel", "cancelled"), (failed, "retry", "queued")):
        before = job.state
        assert ("/" + verb + "/" in page(client, f"/jobs/{job.pk}/")) is may
        assert client.post(f"/jobs/{job.pk}/{verb}/").status_code == (302 if may else 403)
        job.refresh_from_db()
        assert job.state == (state if may else before)


def test_what_cannot_be_done_now_is_said(shop: Shop) -> None:
    job, client = make_job(shop, "done"), signed_in(shop, "owner")
    client.post(f"/jobs/{job.pk}/cancel/")
    assert "This job is already over." in page(client, f"/jobs/{job.pk}/")
    client.post(f"/jobs/{job.pk}/retry/")
    assert "Only a job that failed or was cancelled" in page(client, f"/jobs/{job.pk}/")


def test_another_shops_jobs_are_not_there(shop: Shop) -> None:
    job, outsider = make_job(shop, "running", "their secret note"), signed_in(make_shop(0), "owner")
    assert "their secret note" not in page(outsider, "/jobs/")
    for path in (f"/jobs/{job.pk}/", f"/jobs/{job.pk}/progress/"):
        assert outsider.get(path).status_code == 404
    for verb in ("cancel", "retry"):
        assert outsider.post(f"/jobs/{job.pk}/{verb}/").status_code == 404
    job.refresh_from_db()
    assert not job.cancel_requested


def test_filters_and_pages_of_what_is_over(shop: Shop) -> None:
    for _ in range(45):
        make_job(shop, "done")
    make_job(shop, "failed", "only this one")
    client = signed_in(shop)
    assert "1–30 of 46" in page(client, "/jobs/") and "31–46 of 46" in page(client, "/jobs/?page=2")
    text = page(client, "/jobs/?state=failed&kind=portal.refresh")
    assert "only this one" in text and "1–1 of 1" in text
