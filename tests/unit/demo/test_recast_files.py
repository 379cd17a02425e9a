"""The import files hold every line once, tell nothing early, and agree with their manifest."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps.demo.recast.files import Purchases, write_shop
from apps.demo.recast.lines import Lines, day_number
from apps.demo.recast.planning import planned_items
from apps.demo.recast.prices import paid_prices, shelf_prices
from apps.demo.recast.rules import odd_kinds
from apps.demo.recast.shops import REPLAY_STARTS_ON, SHOPS, STANDS_ON
from apps.demo.recast.wording import describe

GROCER, HOME_HEALTH = SHOPS["corner-grocer"], SHOPS["home-health"]
KINDS = [
    ("GROCERY", "CHEESE", "SHREDDED CHEESE", "8 OZ"),
    ("DRUG GM", "BATTERIES", "ALKALINE BATTERIES", "4 CT"),
    ("PRODUCE", "TROPICAL FRUIT", "BANANAS", "40 LB"),
    ("MISCELLANEOUS", "COUPON/MISC ITEMS", "GASOLINE-REG UNLEADED", ""),
    ("COUPON", "COUPONS/STORE & MFG", "COUPONS/STORE & MFG", ""),
]
ORDER_COLUMNS = (
    "order_id,line_id,occurred_at,sku,title,location,channel,quantity,shelf_price,paid_price,discount,promotion,"
    "customer,currency,status"
)


def made_up_purchases() -> Purchases:
    """Five products, one basket a day from July to the end of the year; fuel, a coupon, a zero, an unknown sku."""
    products = pd.DataFrame(KINDS, columns=["department", "category", "type", "size"])
    products["product_id"] = np.arange(len(KINDS)) + 100
    products["manufacturer_id"] = 1
    products["brand"] = "National"
    products["odd"] = odd_kinds(products)
    days = np.arange(day_number(date(2017, 7, 3)), day_number(date(2017, 12, 31)) + 1)
    size = len(KINDS) + 1
    product = np.tile([*range(len(KINDS)), -1], len(days))
    quantity = np.where(product == 3, 12_510, np.where(np.arange(len(product)) % 31 == 0, 0, 3))
    lines = Lines(
        basket=np.repeat(np.arange(len(days)), size),
        basket_id=np.arange(len(days)) + 5_000,
        occurred_at=np.array([f"{date(1970, 1, 1) + timedelta(days=int(day))}T12:00:00-05:00" for day in days], object),
        product=product,
        product_id=np.where(product < 0, 999, product + 100),
        store_id=np.tile(np.arange(size), len(days)),
        household_id=np.full(len(product), 7),
        quantity=quantity,
        paid=np.full(len(product), 9.98),
        discount=np.full(len(product), 0.51),
        day=np.repeat(days, size),
    )
    mondays = np.arange(np.datetime64("2017-07-03"), np.datetime64("2018-01-01"), np.timedelta64(7, "D"))
    shares = pd.concat(
        pd.DataFrame({"product_id": 100, "kind": kind, "week_starts_on": mondays, "share": 0.5})
        for kind in ("mailer", "display")
    )
    return Purchases(
        products=products,
        words=describe(products),
        lines=lines,
        prices=shelf_prices(lines, products),
        paid=paid_prices(lines, products),
        shares=shares,
        planned={
            (shop.slug, as_of): planned_items(shop, lines, products, as_of=as_of)
            for shop in (GROCER, HOME_HEALTH)
            for as_of in (REPLAY_STARTS_ON, STANDS_ON)
        },
    )


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return made_up_purchases()


@pytest.fixture(scope="module")
def folder(purchases: Purchases, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grocer")
    write_shop(GROCER, purchases, folder)
    return folder


def orders_in(folder: Path) -> pd.DataFrame:
    return pd.concat([pd.read_csv(path) for path in sorted(folder.glob("orders*.csv"))], ignore_index=True)


def test_columns_are_the_imports_own(folder: Path) -> None:
    heads = {path.name: path.read_text().splitlines()[0] for path in folder.glob("*.csv")}
    assert {head for name, head in heads.items() if name.startswith("orders")} == {ORDER_COLUMNS}
    assert heads["items.csv"] == "sku,title,category,brand,unit_of_measure,unit_cost,price,status"
    assert heads["stock.csv"] == "sku,location,on_hand,counted_at"
    assert heads["promotions.csv"] == "sku,location,kind,starts_on,ends_on,share,known_ahead"
    assert heads["suppliers.csv"] == (
        "supplier,sku,lead_time_days,lead_time_spread_days,moq,pack_size,unit_cost,minimum_order_value,"
        "review_period_days,currency"
    )


def test_every_line_is_in_one_file_and_in_the_file_of_its_day(purchases: Purchases, folder: Path) -> None:
    orders = orders_in(folder)
    assert len(orders) == len(purchases.lines) == len(orders.drop_duplicates(["order_id", "line_id"]))
    assert pd.read_csv(folder / "orders.csv")["occurred_at"].str[:10].max() == "2017-12-03"
    for day in pd.date_range("2017-12-04", "2017-12-31").strftime("%Y-%m-%d"):
        assert pd.read_csv(folder / f"orders-{day}.csv")["occurred_at"].str[:10].eq(day).all()


def test_prices_and_discount_make_the_lines_value(folder: Path) -> None:
    orders = orders_in(folder)
    units = orders["quantity"].clip(lower=1)
    rounding = units * 0.00005 + 1e-9
    assert ((units * orders["paid_price"] - 9.98).abs() <= rounding).all()
    assert ((units * orders["shelf_price"] - orders["discount"] - 9.98).abs() <= rounding).all()


def test_what_is_paid_on_average_leaves_out_what_was_given_away_and_what_comes_after_the_start(
    purchases: Purchases,
) -> None:
    lines = purchases.lines
    late = lines.day >= day_number(REPLAY_STARTS_ON)
    paid = np.where(late, 999.0, np.where(lines.day % 2 == 0, 0.0, 6.0))
    prices = paid_prices(replace(lines, paid=paid), purchases.products)
    assert prices[:3].tolist() == [2.0, 2.0, 2.0], "6 for each 3"


def test_the_manifest_adds_up_and_agrees_with_the_files(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    parts = manifest["lines"]
    assert parts["all"]["lines"] == parts["before_start"]["lines"] + parts["later"]["lines"]
    for part in parts.values():
        assert part["lines"] == part["kept"] + part["set_aside"]
        assert part["set_aside"] == sum(part["by_first_rule"].values())
    for each in manifest["files"]:
        assert (folder / each["name"]).stat().st_size == each["bytes"]
        assert len(pd.read_csv(folder / each["name"])) == each["rows"]
    assert {each["name"] for each in manifest["files"]} == {path.name for path in folder.glob("*.csv")}


def test_the_files_alone_show_which_lines_are_set_aside(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    orders, items = orders_in(folder), pd.read_csv(folder / "items.csv").set_index("sku")
    path = orders["sku"].map(items["category"]).fillna("")
    broken = {"unknown_sku": ~orders["sku"].isin(items.index)}
    for name, pattern in manifest["category_rules"].items():
        broken[name] = path.str.contains(pattern.replace("(", "(?:"), case=False, regex=True)
    broken["zero_quantity"] = orders["quantity"].eq(0)
    left = pd.Series(data=True, index=orders.index)
    for name, expected in manifest["lines"]["all"]["by_first_rule"].items():
        assert int((broken[name] & left).sum()) == expected
        left &= ~broken[name]
    assert int(left.sum()) == manifest["lines"]["all"]["kept"]


def test_mailers_are_known_ahead_and_displays_come_with_their_week(folder: Path) -> None:
    known = pd.read_csv(folder / "promotions.csv")
    latest = known.groupby(["kind", "known_ahead"])["ends_on"].max().to_dict()
    assert latest == {("mailer", "yes"): "2017-12-31", ("display", "no"): "2017-12-03"}
    for monday in ("2017-12-04", "2017-12-11", "2017-12-18", "2017-12-25"):
        week = pd.read_csv(folder / f"promotions-{monday}.csv")
        assert set(week["kind"]) == {"display"}
        assert set(week["starts_on"]) == {monday}


def test_the_second_shop_holds_its_departments_alone(purchases: Purchases, tmp_path: Path) -> None:
    manifest = write_shop(HOME_HEALTH, purchases, tmp_path)
    assert set(orders_in(tmp_path)["sku"]) == set(pd.read_csv(tmp_path / "items.csv")["sku"]) == {101}
    assert manifest["lines"]["all"]["by_first_rule"]["unknown_sku"] == 0


def test_a_shop_that_knows_less_has_no_earlier_line_and_speaks_only_of_its_own_items(
        purchases: Purchases, tmp_path: Path) -> None:
    manifest = write_shop(replace(HOME_HEALTH, knows_since=date(2017, 11, 20)), purchases, tmp_path)
    assert orders_in(tmp_path)["occurred_at"].str[:10].min() == "2017-11-20"
    assert manifest["lines"]["before_start"]["lines"] == 14
    items = set(pd.read_csv(tmp_path / "items.csv")["sku"])
    for name in ("suppliers.csv", "stock.csv", "promotions.csv"):
        assert set(pd.read_csv(tmp_path / name)["sku"]) <= items


def test_a_second_run_writes_the_same_bytes(purchases: Purchases, folder: Path, tmp_path: Path) -> None:
    write_shop(GROCER, purchases, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
