"""The engine alone, from the shell: the same plan from parquet as from frames, and sentences for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from apps.optimization.engine.__main__ import main
from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.frames import Limits
from apps.optimization.engine.policies import BY_NAME
from apps.optimization.engine.replenish import plan
from apps.optimization.engine.simulate import difference, replay
from tests.unit.optimization.shops import arrivals_frame, items_frame, poisson

BUYERS_NAMES = {"supplier_id": "supplier", "shortage_cost": "lost_sale_cost",
                "lead_time_spread_days": "lead_time_sd_days", "review_period_days": "review_days"}  # fmt: skip
DAY = pd.Timestamp("2026-03-02")


def long(demand: ArrayDemand) -> pd.DataFrame:
    n, paths, days = demand.array.shape
    item, path, day = (places.reshape(-1) for places in np.indices((n, paths, days)))
    ids = np.array([f"item-{row}" for row in range(n)], dtype=object)
    return pd.DataFrame({"unique_id": ids[item], "path": path, "ds": DAY + pd.to_timedelta(day, unit="D"),
                         "y": demand.array.reshape(-1)})


def planned(folder: Path, items: pd.DataFrame, demand: pd.DataFrame, *more: str,
            arrivals: pd.DataFrame | None = None, limits: str | None = None) -> int:
    """Write the files and plan them: the exit status."""
    items.rename(columns=BUYERS_NAMES).to_parquet(folder / "items.parquet")
    demand.to_parquet(folder / "demand.parquet")
    words = ["--items", str(folder / "items.parquet"), "--demand", str(folder / "demand.parquet")]
    if arrivals is not None:
        arrivals.to_parquet(folder / "arrivals.parquet")
        words += ["--arrivals", str(folder / "arrivals.parquet")]
    if limits is not None:
        (folder / "limits.json").write_text(limits)
        words += ["--limits", str(folder / "limits.json")]
    words += ["--out", str(folder / "out" / "plan.parquet"), "--json", str(folder / "plan.json")]
    return main(["plan", *words, *more])


def table_and_summary(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    return pd.read_parquet(folder / "out" / "plan.parquet"), json.loads((folder / "plan.json").read_text())


def test_the_plan_from_files_is_the_plan_from_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items, arrivals, demand = items_frame({}, {"pack_size": 6}), arrivals_frame(("item-1", 2, 3)), poisson([1.0, 2.0])
    dated = arrivals.assign(date=DAY + pd.to_timedelta(arrivals["day"], unit="D")).drop(columns="day")
    told = '{"budget": 60, "supplier_minimums": {"acme": 20}}'
    assert planned(tmp_path, items, long(demand), arrivals=dated, limits=told) == 0
    expected = plan(items, arrivals, demand, limits=Limits(cash_budget=60.0, supplier_minimums={"acme": 20.0}))
    table, said = table_and_summary(tmp_path)
    assert (table["set_aside"] == "").all()
    for column in expected.lines.columns.drop(["unique_id", "supplier_id"]):
        np.testing.assert_array_equal(table[column], expected.lines[column])
    assert (said["status"], said["items"], said["planned"]) == (expected.status, 2, 2)
    assert said["bound"] == pytest.approx(said["expected_cost"] - said["gap"])
    assert [found["code"] for found in said["binds"]] == [found.code for found in expected.findings]
    assert f"{expected.status}: {said['lines']} lines for" in capsys.readouterr().err


WRONG_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"supplier_id": " "}, "it has no supplier"),
    ({"supplier_id": None}, "it has no supplier"),
    ({"unit_cost": None}, "unit_cost is missing or no number"),
    ({"lead_time_days": -1.0}, "lead_time_days is below 0"),
    ({"pack_size": 0}, "pack_size is below 1"),
    ({"on_hand": 0.5}, "on_hand is no whole number"),
    ({"moq": 12, "max_order_quantity": 6.0}, "its MOQ is above max_order_quantity"),
    ({"lead_time_days": 40.0}, "its demand reaches 28 days, and lead time and review period need more"),
    ({"lead_time_days": 1e12}, "lead time and review period are more than 730 days"),
]


def test_what_cannot_be_planned_is_set_aside_with_its_reason_and_nothing_is_dropped(tmp_path: Path) -> None:
    items = items_frame(*(row for row, _ in WRONG_ROWS), {}, {}, {})
    fine, silent, torn = (f"item-{len(WRONG_ROWS) + place}" for place in range(3))
    demand = long(poisson([1.0] * len(items)))
    demand = demand[demand["unique_id"] != silent].astype({"y": float})
    demand.loc[demand.index[demand["unique_id"] == torn][3], "y"] = np.nan
    assert planned(tmp_path, items, demand) == 0
    table, said = table_and_summary(tmp_path)
    assert table["unique_id"].tolist() == items["unique_id"].tolist()
    reasons = table.set_index("unique_id")["set_aside"]
    assert reasons.tolist()[: len(WRONG_ROWS)] == [reason for _, reason in WRONG_ROWS]
    assert reasons[fine] == ""
    assert reasons[silent] == "demand tells nothing of it"
    assert reasons[torn] == "its demand holds a missing or negative number, or one that is not whole"
    assert said["planned"] + sum(said["set_aside"].values()) == said["items"] == len(items)
    assert (table.loc[table["set_aside"] != "", "order_quantity"] == 0).all()
    assert table.loc[table["unique_id"] == fine, "order_quantity"].item() > 0


def test_of_several_suppliers_the_cheapest_is_planned_with_and_of_equals_the_quickest(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"supplier_id": "dear", "unit_cost": 6.0}, {"supplier_id": "slow", "lead_time_days": 9.0},
        {"supplier_id": "quick"}, {"supplier_id": "also quick"}]  # fmt: skip
    items = items_frame(*rows).assign(unique_id="item-0")
    assert planned(tmp_path, items, long(poisson([2.0]))) == 0
    table, said = table_and_summary(tmp_path)
    bought = table[table["set_aside"] == ""]
    assert bought["supplier"].tolist() == ["also quick"]
    assert bought["order_quantity"].item() > 0
    assert list(said["set_aside"].values()) == [3]
    assert "bought from also quick" in next(iter(said["set_aside"]))
    assert planned(tmp_path, pd.concat([items.tail(1)] * 2), long(poisson([2.0]))) == 0
    assert "bought from also quick by another row" in next(iter(table_and_summary(tmp_path)[1]["set_aside"]))


def test_planned_again_beside_its_own_earlier_answer_nothing_changes_and_what_is_gone_is_told(tmp_path: Path) -> None:
    items, demand = items_frame({}, {}, {"supplier_id": None}), long(poisson([1.0, 2.0, 1.0]))
    demand["ds"] = demand["ds"].dt.tz_localize("Asia/Shanghai")  # days are as their own clock says
    assert planned(tmp_path, items, demand) == 0
    (tmp_path / "out" / "plan.parquet").rename(tmp_path / "earlier.parquet")
    before = pd.read_parquet(tmp_path / "earlier.parquet")
    assert planned(tmp_path, items, demand, "--previous", str(tmp_path / "earlier.parquet")) == 0
    table, said = table_and_summary(tmp_path)
    assert table["order_quantity"].tolist() == before["order_quantity"].tolist()
    assert said["changes"] == []
    assert planned(tmp_path, items.head(1), demand, "--previous", str(tmp_path / "earlier.parquet")) == 0
    [gone] = table_and_summary(tmp_path)[1]["changes"]
    assert (gone["unique_id"], gone["driver"]) == ("item-1", "gone")


def test_quantiles_of_the_protection_period_are_planned_as_paths_with_these_quantiles(tmp_path: Path) -> None:
    """Ten days' demand uniform on 0 to 100, one review: the newsvendor's answer is a quantile of it."""
    ratio = 0.8
    holding = 5.0 * 73.0 / 365  # one a day, and the window is the last day alone
    items = items_frame({"lead_time_days": 0.0, "review_period_days": 1, "holding_cost_rate": 73.0,
                         "shortage_cost": holding * ratio / (1 - ratio)})  # fmt: skip
    levels = np.linspace(0.05, 0.95, 19)
    told = pd.DataFrame([{"unique_id": "item-0", **{f"q{level:.2f}": 100 * level for level in levels}}])
    assert planned(tmp_path, items, told) == 0
    table, _ = table_and_summary(tmp_path)
    assert table["order_quantity"].item() == pytest.approx(100 * ratio, abs=1)
    some = pd.DataFrame({"unique_id": ["item-0"], "date": ["2026-03-02"], "quantity": [5]})
    assert planned(tmp_path, items, told, arrivals=some) == 2
    assert planned(tmp_path, items, told, "--day", "2026-03-02", arrivals=some) == 0
    after, _ = table_and_summary(tmp_path)
    assert after["order_quantity"].item() == table["order_quantity"].item() - 5


def test_limits_that_contradict_each_other_are_a_result_with_words(tmp_path: Path) -> None:
    for told in ('{"budget": 0}', '{"budget": 10, "supplier_minimums": {"acme": 500}}'):
        assert planned(tmp_path, items_frame({}), long(poisson([2.0])), limits=told) == 0
        table, said = table_and_summary(tmp_path)
        assert said["status"] == "infeasible"
        assert said["binds"][0]["words"]
        assert table["order_quantity"].item() == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"items": "moq"}, "items: the column 'moq' is missing."),
        ({"demand": "path"}, "demand: the column 'path' is missing; it takes paths"),
        ({"limits": "{"}, "limits: limits.json cannot be read"),
        ({"limits": '{"cash": 1}'}, "limits: 'cash' is not known; there are budget, supplier_minimums"),
        ({"limits": '{"budget": "much"}'}, "limits: budget is 'much'; it must be a number."),
        ({"limits": "[1]"}, "limits: limits.json holds no object of limits"),
        ({"far": True}, "demand: it reaches to 2226-03-02, and no further than 730 days from 2026-03-02 is read"),
        ({"more": ["--day", "soon"]}, "day: 'soon' is no date such as 2026-01-31."),
        ({"more": ["--day", "2027-01-01"]}, "demand: its last day is 2026-03-29, before the planning day 2027-01-01."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    wrong: dict[str, Any], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = items_frame({}).drop(columns=[wrong["items"]] if "items" in wrong else [])
    demand = long(poisson([1.0])).drop(columns=[wrong["demand"]] if "demand" in wrong else [])
    if wrong.get("far"):
        demand.loc[0, "ds"] = pd.Timestamp("2226-03-02")
    assert planned(tmp_path, items, demand, *wrong.get("more", []), limits=wrong.get("limits", "{}")) == 2
    assert capsys.readouterr().err.startswith(sentence)
    assert not (tmp_path / "out").exists()


def history_of(sold: np.ndarray) -> pd.DataFrame:
    n, days = sold.shape
    item, day = np.nonzero(sold)
    dates = pd.date_range("2026-01-01", periods=days).to_numpy()
    ids = np.array([f"item-{row}" for row in range(n)], dtype=object)
    return pd.DataFrame({"unique_id": ids[item], "ds": dates[day], "y": sold[item, day]})


def simulate(folder: Path, *more: str, **changed: str) -> int:
    options = {"items": "items.parquet", "history": "history.parquet", "out": "out/replay.parquet"} | changed
    paths = [word for option, name in options.items() for word in (f"--{option}", str(folder / name))]
    return main(["simulate", *paths, *more])


def test_the_replay_from_files_is_the_replay_from_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = items_frame({"on_hand": 5}, {"pack_size": 6}, {"lead_time_spread_days": 2.0})
    sold = np.random.default_rng(0).poisson(1.5, (3, 120))
    sold[0, 0] = sold[2, -1] = 1  # the calendar reaches from the first to the last row
    items.to_parquet(tmp_path / "items.parquet")
    history_of(sold).to_parquet(tmp_path / "history.parquet")
    names = ["sales_times_lead_time", "order_up_to"]
    chosen = [word for name in [*names, names[0]] for word in ("--policy", name)]
    asked = [*chosen, "--days", "42", "--run-in", "14", "--seed", "3"]
    assert simulate(tmp_path, *asked, json="told.json") == 0
    lived = [
        replay(items, None, sold[:, 64:], BY_NAME[name], history=sold[:, :64], seed=3, run_in_days=14)
        for name in names
    ]
    table = pd.read_parquet(tmp_path / "out" / "replay.parquet")
    for name, done in zip(names, lived, strict=True):
        found = table[(table["policy"] == name) & (table["figure"] != "profit_gained")].drop(columns="policy")
        pd.testing.assert_frame_equal(found.reset_index(drop=True), done.table(seed=3))
    gained = table[table["figure"] == "profit_gained"].iloc[0]
    expected = difference(lived[1], lived[0], seed=3)
    assert gained.tolist() == [names[1], "profit_gained", expected.money, expected.low, expected.high]
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["starts_on"], told["ends_on"], told["items"]) == ("2026-03-20", "2026-04-30", 3)
    assert told["policies"]["order_up_to"]["cost"]["value"] == lived[1].totals()["cost"]
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith("order_up_to")
    assert said.err.splitlines()[0].startswith("1 of 2: sales_times_lead_time, 3 items, 56 days ...")


@pytest.mark.parametrize(
    ("more", "history", "sentences"),
    [
        (["--policy", "guess"], {}, ["policy: 'guess' is not known; there are sales_times_lead_time, order_up_to"]),
        (["--days", "200"], {}, ["history: it holds 120 days; 200 and 28 to run in are asked for."]),
        (["--days", "0"], {}, ["days: 0 days and 28 to run in; there must be at least 1 and 0."]),
        ([], {"y": -1}, ["history: y must be whole units of at least 0, and is not in 120 rows."]),
        ([], {"y": 0.5, "ds": "soon"}, ["history: ds is missing or no date in 120", "history: y must be whole units"]),
        ([], None, ["history: history.parquet cannot be read"]),
        ([], {"ds": [pd.Timestamp("1926-01-01"), *[pd.Timestamp("2026")] * 119]}, ["history: from 1926-01-01 to"]),
    ],
)
def test_what_cannot_be_replayed_is_said_in_sentences(
    more: list[str], history: dict[str, Any] | None, sentences: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    items_frame({}).to_parquet(tmp_path / "items.parquet")
    if history is None:
        (tmp_path / "history.parquet").write_text("no parquet")
    else:
        history_of(np.ones((1, 120), dtype=np.int64)).assign(**history).to_parquet(tmp_path / "history.parquet")
    given = {"--policy": "min_max", "--days": "42"} | dict(zip(more[::2], more[1::2], strict=True))
    assert simulate(tmp_path, *(word for option in given.items() for word in option)) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(sentences)
    assert all(line.startswith(sentence) for line, sentence in zip(said, sentences, strict=True))
    assert not (tmp_path / "out").exists()


def test_columns_that_are_missing_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items_frame({}).drop(columns="unique_id").to_parquet(tmp_path / "items.parquet")
    history_of(np.ones((1, 50), dtype=np.int64)).drop(columns=["ds", "y"]).to_parquet(tmp_path / "history.parquet")
    assert simulate(tmp_path, "--policy", "min_max", "--days", "7") == 2
    assert capsys.readouterr().err.splitlines() == [
        "history: the column 'ds' is missing.", "history: the column 'y' is missing.",
        "items: the column 'unique_id' is missing."]
    assert simulate(tmp_path, "--policy", "min_max", "--days", "7", items="nowhere.parquet") == 2
    assert capsys.readouterr().err.startswith("items: nowhere.parquet cannot be read")
