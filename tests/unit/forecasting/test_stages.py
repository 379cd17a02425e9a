"""Stages run at once give what they give one by one, tell one progress, and end together where one fails."""

import re
import threading
from functools import partial

import pytest

from apps.forecasting.engine.backtest import backtest, rolling_cutoffs
from apps.forecasting.engine.base import OnProgress
from apps.forecasting.engine.models import make
from apps.forecasting.engine.stages import Abandoned, Stage, run_stages
from apps.forecasting.pipeline.contest import telling
from apps.forecasting.selectors import with_titles
from apps.jobs.running import Running
from apps.tenants.figures import numbers_as
from tests.unit.forecasting import shops


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_keep_their_order_and_progress_only_grows_to_the_whole(workers: int) -> None:
    heard: list[float] = []

    def squared(number: int) -> Stage[int]:
        def run(told: OnProgress) -> int:
            for step in range(1, 5):
                told(step / 4, "on my way")
            return number**2
        return run

    found = run_stages([squared(number) for number in range(6)], workers,
                       lambda done, _sentence: heard.append(done))
    assert found == [0, 1, 4, 9, 16, 25]
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1.0)


def test_two_stages_really_run_at_once() -> None:
    meeting = threading.Barrier(2, timeout=20)
    assert len(run_stages([lambda told: meeting.wait(), lambda told: meeting.wait()], 2)) == 2


def test_what_one_stage_raises_ends_the_others_and_comes_out() -> None:
    failing, ended = threading.Event(), []

    def fails(told: OnProgress) -> None:
        failing.set()
        raise ValueError("this one")

    def goes_on(told: OnProgress) -> None:
        assert failing.wait(20)
        try:
            for _ in range(10_000_000):
                told(0.5, "still here")
        except Abandoned:
            ended.append(True)
            raise

    with pytest.raises(ValueError, match="this one"):
        run_stages([goes_on, fails, goes_on], 2)
    assert ended == [True], "the stage that ran was told, the one that waited never began"


def test_who_listens_to_the_progress_can_cancel_all() -> None:
    class Cancelled(Exception):
        pass

    def cancel(done: float, sentence: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        run_stages([lambda told: told(0.1, "a"), lambda told: told(0.1, "b")], 2, cancel)


def test_a_backtest_with_many_workers_finds_what_one_finds_to_the_last_bit() -> None:
    panel = shops.panel(n_series=30, n_days=200)
    models = {name: partial(make, name) for name in ("weekday_mean", "tsb", "lightgbm")}
    cutoffs = rolling_cutoffs(panel, 3)
    one, many = backtest(panel, models, cutoffs), backtest(panel, models, cutoffs, workers=3)
    assert one.scores.equals(many.scores)
    assert one.series.equals(many.series)


def test_what_stages_say_on_threads_of_their_own_is_written_as_the_shop_writes() -> None:
    heard: list[str] = []
    running = Running(job_id=1, tenant_id=1, kind="forecasting.backtest", attempt=1, input={})

    def stage(told: OnProgress) -> None:
        told(0.5, "lightgbm: 7477 series as known on 1 Dec 2017")
        heard.append(running.note)

    with numbers_as("de-de"):
        run_stages([stage, stage], 2, telling(running, 0, 1))
    assert heard == ["LightGBM: 7.477 series as known on 1 Dec 2017"] * 2


@pytest.mark.parametrize("name", ["lightgbm", "lightgbm_daily"])
def test_counts_of_the_engine_are_written_as_the_shop_writes_them(name: str) -> None:
    said: list[str] = []
    make(name).fit(shops.panel(n_series=40, n_days=200), lambda _done, sentence: said.append(sentence))
    with numbers_as("de-de"):
        shown = [with_titles(sentence) for sentence in said]
    counted = [sentence for sentence in shown if " rows up to " in sentence]
    assert counted and all(re.search(r": [1-9][0-9]{0,2}(\.[0-9]{3})+ rows up to ", sentence) for sentence in counted)
