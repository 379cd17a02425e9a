"""The whole loop on a small shop, through real processes and a real browser: data in, orders out, outcomes back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from config.embedded import wait_until
from tests.e2e.conftest import Product

pytestmark = pytest.mark.xdist_group("loop")
JOB_MS = 60_000  # what one job of the small shop takes at most, on two busy cores
WEEK_MS = 180_000
ORDERS = ("order_id,line_id,occurred_at,sku,title,location,channel,quantity,shelf_price,paid_price,discount,promotion,"
          "customer,currency,status")


@pytest.fixture(scope="module")
def sign_in(product: Product) -> tuple[str, str]:
    """The small shop, loaded and planned; how its owner gets in."""
    told = product.manage("load_demo", "--small", "--quick", "--address", product.address)
    found = re.search(r"(owner@\S+)\s+(\S+)", told)
    assert found is not None, told
    return found[1], found[2]


def enter(page: Page, product: Product, sign_in: tuple[str, str]) -> None:
    page.goto(product.address + "/")
    page.locator("input[name=login]").fill(sign_in[0])
    page.locator("input[name=password]").fill(sign_in[1])
    page.locator("form:has(input[name=password]) button[type=submit]").click()
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()


def figure(page: Page, label: str) -> Locator:
    return page.locator(".stat", has=page.get_by_text(label, exact=True)).locator(".stat-value")


def send_a_file(page: Page, product: Product, path: Path) -> None:
    page.goto(product.address + "/data/imports/")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Send it").click()
    page.get_by_role("button", name="Read the file").click()
    expect(figure(page, "Rows read")).to_be_visible(timeout=JOB_MS)


def let_in(page: Page, button: str, then: str) -> None:
    """Press one of the demo's buttons, and wait until what follows the last day is done too."""
    bar = page.locator("#demo-bar")
    bar.get_by_role("button", name=button).click()
    bar.get_by_role("link", name="Done: show the new day").click(timeout=WEEK_MS)
    expect(bar).to_contain_text(then)


def test_a_stranger_is_shown_the_way_in(page: Page, product: Product) -> None:
    page.goto(product.address + "/")
    expect(page).to_have_url(f"{product.address}/accounts/login/?next=/")
    expect(page.locator("input[type=email]")).to_be_visible()


def test_the_clock_rings_and_a_worker_answers(product: Product) -> None:
    # Beat keeps to the wall clock, which a machine that has just started may set back by some seconds.
    answered = wait_until(lambda: "task_succeeded" in product.log("worker-light"), 90)
    assert answered, product.log("beat") + product.log("worker-light")


def test_the_loop_closes(page: Page, product: Product, sign_in: tuple[str, str], tmp_path: Path) -> None:
    enter(page, product, sign_in)

    # Data in: two late lines of a known item, one of them twice, and one with a quantity in words.
    page.goto(product.address + "/items/?sort=-weekly_units")
    sku = page.locator("tbody tr .cell-sub").first.inner_text().split()[0]
    line = "late-1,{n},2017-12-03T12:00:00-05:00,{sku},,main,,{quantity},3,3,0,,,USD,completed"
    rows = [line.format(n=n, sku=sku, quantity=quantity) for n, quantity in ((1, 2), (2, 1), (2, 1), (3, "a few"))]
    late = tmp_path / "late.csv"
    late.write_text("\n".join([ORDERS, *rows]) + "\n")
    send_a_file(page, product, late)
    expect(figure(page, "Rows read")).to_have_text("4")
    expect(figure(page, "Applied")).to_have_text("2")
    expect(figure(page, "Set aside by rule")).to_have_text("1")
    expect(figure(page, "Rejected")).to_have_text("1")

    # Orders out: one line approved with the advised quantity, sent, and one unit of it taken in by hand.
    page.goto(product.address + "/replenish/")
    page.locator("tbody input[name=line]").first.check()
    page.get_by_role("button", name="Put on orders").click()
    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_role("button", name="Mark as sent").click()
    order = page.url
    page.locator("input[name^=received-]").first.fill("1")
    page.get_by_role("button", name="Take in what is typed").click()
    expect(page.get_by_text("partly received").first).to_be_visible()

    # Eight days come in: the supplier delivers the rest, and what was forecast is judged by what happened.
    let_in(page, "A week", "21 days left")
    let_in(page, "Let the next day in", "20 days left")
    page.goto(order)
    expect(page.get_by_text("received", exact=True).first).to_be_visible()

    page.goto(product.address + "/accuracy/")
    expect(page.get_by_text("As judged on 12 Dec 2017")).to_be_visible()
    expect(page.get_by_role("rowheader", name="4 Dec 2017").first).to_be_visible()
    page.goto(product.address + "/replenish/")
    expect(page.get_by_text("What to buy as of Monday 11 December 2017")).to_be_visible()
