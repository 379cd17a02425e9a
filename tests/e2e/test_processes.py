"""The product as real processes, seen through a real browser."""

from playwright.sync_api import Page, expect

from config.embedded import wait_until
from tests.e2e.conftest import Product


def test_a_stranger_is_shown_the_way_in(page: Page, product: Product) -> None:
    page.goto(product.address + "/")
    expect(page).to_have_url(f"{product.address}/accounts/login/?next=/")
    expect(page.locator("input[type=email]")).to_be_visible()


def test_the_clock_rings_and_a_worker_answers(product: Product) -> None:
    assert wait_until(lambda: "task_succeeded" in product.log("worker-light"), 40), product.log("beat")
