"""The portal in a real browser: signing in, every page at both widths and in both schemes, keyboard, no rule broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from apps.inventory.services import approve_order, mark_sent
from apps.jobs.services import enqueue
from apps.optimization.models import Recommendation
from apps.optimization.services import Choice, decide_many
from apps.tenants.models import Membership, User
from apps.tenants.scope import tenant_context
from tests.integration.inventory.shops import MONDAY, Shop
from tests.integration.portal.stocked_shops import make_stocked_shop
from tests.rows import make_user

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL, PASSWORD = "ann@example.test", "a long password"


@pytest.fixture
def shop() -> Shop:
    return owned_shop(60)


def owned_shop(items: int) -> Shop:
    shop = make_stocked_shop(items)
    Membership.objects.create(tenant=shop.tenant, user=make_user(EMAIL), role="owner")
    return shop


def sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/accounts/login/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")


# What axe judges by how a page looks; all else is the same page, however wide and however dark.
LOOK_RULES = ("color-contrast", "scrollable-region-focusable", "target-size", "link-in-text-block")


def assert_good(page: Page, rules: Sequence[str] = ()) -> None:
    """One h1, a title, a language, no sideways scrolling, nothing serious for axe (by some rules, where given)."""
    options: dict[str, Any] = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    facts: dict[str, Any] = page.evaluate("""() => ({h1: document.querySelectorAll('h1').length, title: document.title,
        lang: document.documentElement.lang,
        sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth})""")
    assert facts["h1"] == 1 and facts["title"] and facts["lang"] == "en" and facts["sideways"] <= 1, (page.url, facts)
    found = [(violation["id"], violation["impact"], violation["nodes"][0]["target"])
             for violation in Axe().run(page, options=options).response["violations"]
             if violation["impact"] in ("serious", "critical")]
    assert found == [], page.url


LOOKS: list[tuple[int, Any, Sequence[str]]] = [(1440, "light", ()), (390, "dark", LOOK_RULES)]
PAGES = ("/", "/items/", "/items/?q=nothing", "/replenish/", "/plan/what-if/", "/orders/", "/data/", "/data/imports/",
         "/data/unusual/",
         "/data/connections/", "/accuracy/", "/models/", "/demand/", "/alerts/", "/jobs/", "/settings/",
         "/settings/planning/", "/settings/people/", "/settings/keys/", "/settings/audit/", "/settings/profile/",
         "/accounts/password/change/",
         "/shops/new/")


def test_every_page_is_good_wide_and_narrow_light_and_dark(page: Page, live_server: LiveServer) -> None:
    shop = owned_shop(8)
    with tenant_context(shop.tenant.pk):
        job = enqueue(kind_name="portal.refresh", input={"as_of": "2017-12-04"})
    page.goto(f"{live_server.url}/accounts/signup/")
    assert_good(page)
    sign_in(page, live_server.url)
    for width, scheme, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for path in (*PAGES, f"/items/{shop.items[0].pk}/", f"/jobs/{job.pk}/"):
            page.goto(f"{live_server.url}{path}")
            expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
            assert_good(page, rules)


def test_a_chart_is_drawn_and_its_table_can_be_opened(page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/items/{shop.items[0].pk}/")
    for chart in ("sales", "projection", "why-1"):
        expect(page.locator(f"#{chart}[data-drawn] canvas")).to_be_visible()
    table = page.locator("#why-1 ~ details")
    table.locator("summary").click()
    expect(table.get_by_role("row", name=re.compile("^To buy"))).to_be_visible()


def test_items_are_searched_filtered_and_ordered_without_a_button(
        page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server.url)
    page.keyboard.press("/")
    page.keyboard.type("item 42")
    page.keyboard.press("Enter")
    expect(page.locator("tbody th[scope=row]")).to_have_count(1)
    expect(page.get_by_role("link", name="Item 42")).to_be_visible()
    page.get_by_role("link", name="Clear").click()
    page.get_by_label("Supplier").select_option("Birch Foods")
    page.wait_for_url(re.compile(r"/items/\?supplier=Birch\+Foods$"))
    expect(page.get_by_text("1–30 of 30")).to_be_visible()
    page.get_by_role("link", name="Item", exact=True).click()
    page.wait_for_url(re.compile(r"sort=title"))
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Item")


def test_a_lines_cost_follows_the_quantity_that_is_typed(page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/replenish/")
    row = page.locator("[data-line]").first
    box, cost = row.locator(".quantity-box"), row.locator("[data-cost]")
    advised = cost.inner_text()
    for typed, shown in (("600", "$1,200"), ("", advised), (box.get_attribute("data-advised") or "", advised)):
        box.fill(typed)
        expect(cost).to_have_text(shown)
    expect(page.locator("[data-sums]")).to_contain_text(advised)


def test_enter_in_a_box_of_the_plan_decides_nothing(page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/replenish/")
    page.evaluate("document.addEventListener('submit', () => { document.title = 'sent'; })")
    for box in (page.locator(".quantity-box").first, page.get_by_placeholder("Reason for a change")):
        box.press("Enter")
        expect(page).not_to_have_title("sent")
        expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_plan_is_gone_through_by_keyboard_with_its_bar_in_no_ones_way(
        page: Page, live_server: LiveServer, shop: Shop, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/replenish/")
    bar = page.locator(".decide-bar")
    page.locator("[data-check-all]").focus()
    for _step in range(40):
        page.keyboard.press("Tab")
        covered = page.evaluate("""() => document.activeElement.getBoundingClientRect().bottom
            - document.querySelector('.decide-bar').getBoundingClientRect().top""")
        assert covered <= 0
    skip = page.get_by_role("link", name="To the buttons")
    page.locator("[data-check-all]").press("Shift+Tab")
    expect(skip).to_be_focused()
    found = skip.bounding_box()
    assert found is not None and found["width"] > 40 and found["height"] > 20, "seen once it has focus"
    page.keyboard.press("Enter")
    expect(bar).to_be_focused()
    for _step in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "approve":
            break
    expect(page.get_by_role("button", name="Put on orders")).to_be_focused()


def test_on_a_phone_nothing_of_an_order_or_of_a_running_plan_touches_what_is_beside_it(
        page: Page, live_server: LiveServer, shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        chosen = [Choice(recommendation_id=line.pk) for line in Recommendation.objects.order_by("item_id")[:2]]
        [order_id] = decide_many(choices=chosen, as_of=MONDAY, actor=None).order_ids
        approve_order(order_id=order_id, actor=None)
        mark_sent(order_id=order_id, sent_on=MONDAY, actor=None)
        enqueue(kind_name="optimization.plan", input={"as_of": MONDAY.isoformat()})
    page.set_viewport_size({"width": 390, "height": 800})
    sign_in(page, live_server.url)

    def edges(selector: str) -> dict[str, float]:
        found = page.locator(selector).first.bounding_box()
        assert found is not None, selector
        return {"right": found["x"] + found["width"], "top": found["y"], "bottom": found["y"] + found["height"]}

    page.goto(f"{live_server.url}/orders/{order_id}/")
    assert edges(".card:has(.quantity-box)")["right"] - edges(".quantity-box")["right"] >= 12
    page.goto(f"{live_server.url}/replenish/")
    assert edges(".stats")["top"] - edges(".card:has(.job-progress)")["bottom"] >= 12


def test_removing_a_person_asks_first_and_the_keyboard_can_say_no(
        page: Page, live_server: LiveServer, shop: Shop) -> None:
    Membership.objects.create(tenant=shop.tenant, user=make_user("vi@example.test"), role="viewer")
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/settings/people/")
    remove = page.get_by_role("button", name="Remove vi@example.test")
    remove.click()
    expect(page.get_by_role("dialog")).to_contain_text("Take vi@example.test's place in this shop away?")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert Membership.objects.filter(user__email="vi@example.test").exists()
    remove.click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("vi@example.test no longer has a place here.")).to_be_visible()
    assert not Membership.objects.filter(user__email="vi@example.test").exists()


def test_the_choice_of_light_or_dark_is_kept(page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server.url)
    page.get_by_role("button", name="Light or dark").click()
    page.goto(f"{live_server.url}/items/")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"


def test_the_menu_of_a_phone_opens_and_closes_by_keyboard(page: Page, live_server: LiveServer, shop: Shop) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    sign_in(page, live_server.url)
    opener = page.get_by_role("button", name="Menu", exact=True)
    opener.press("Enter")
    expect(page.get_by_role("link", name="Settings")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Settings")).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_first_tab_leads_past_the_menu_to_the_content(page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/items/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_somebody_new_makes_a_shop_and_is_told_what_to_do_first(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/accounts/signup/")
    page.get_by_label("Your name").fill("Noor")
    page.get_by_label("E-mail").fill("noor@example.test")
    page.get_by_label("Password", exact=True).fill("a very long password")
    page.get_by_label("Password (again)").fill("a very long password")
    page.get_by_label("Name of your shop").fill("Fern & Finch")
    page.get_by_label("Country").select_option("DE")
    page.get_by_role("button", name="Make my shop").click()
    expect(page.get_by_text("Bring in your order lines to begin")).to_be_visible()
    assert User.objects.get().memberships.get().tenant.name == "Fern & Finch"
    assert_good(page)


def test_a_form_works_without_scripts(live_server: LiveServer, shop: Shop, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/items/")
    page.get_by_role("combobox", name="Supplier").select_option("Birch Foods")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("1–30 of 30")).to_be_visible()
    page.locator("[data-menu]").click()
    expect(page.get_by_role("link", name="Settings")).to_be_visible()
    context.close()


def test_a_drafts_line_is_changed_and_taken_off_by_keyboard_and_by_mouse(page: Page, live_server: LiveServer) -> None:
    shop = owned_shop(4)
    with tenant_context(shop.tenant.pk):
        lines = list(Recommendation.objects.filter(supplier=shop.suppliers[0]))
        [order_id] = decide_many(choices=[Choice(recommendation_id=line.pk) for line in lines], as_of=MONDAY,
                                 actor=None).order_ids
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/orders/{order_id}/")
    row = page.locator("tbody tr").first
    row.locator("summary").click()
    for width, scheme, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        assert_good(page, rules)
    row.get_by_label("Quantity of").fill(str(lines[0].quantity + 6))
    row.get_by_label("Reason").fill("a party")
    row.get_by_label("Reason").press("Enter")
    expect(row).to_contain_text("were advised; changed by")
    row.locator("summary").click()
    row.get_by_role("button", name="Take it off").click()
    page.locator("#confirm").get_by_role("button", name="Take it off").click()
    expect(page.get_by_text("Taken off: what was advised")).to_be_visible()
    assert page.locator("tbody tr").count() == len(lines) - 1
