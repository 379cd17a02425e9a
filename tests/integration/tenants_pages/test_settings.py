"""Settings: the shop's facts, its people, its keys, and the trail of who changed what."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils.html import escape

from apps.tenants.models import ApiKey, AuditEntry, Invitation, Membership, Role, Tenant
from apps.tenants.selectors import live_key
from apps.tenants.services import invite_person, issue_key, record_audit
from apps.tenants.templatetags.tenants_places import audit_actions
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import Shop, make_shop
from tests.rows import make_user

pytestmark = pytest.mark.django_db

PAGES = ("/settings/", "/settings/people/", "/settings/keys/", "/settings/audit/", "/settings/planning/",
         "/settings/profile/")


@pytest.fixture
def shop() -> Shop:
    return make_shop(0)


@pytest.fixture
def owner(shop: Shop) -> Client:
    return signed_in(shop, Role.OWNER)


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_sees_every_page_and_no_form_but_their_own(shop: Shop, path: str) -> None:
    text = page(signed_in(shop, "viewer"), path)
    forms = re.findall(r'<form[^>]*method="post"[^>]*>', text)
    allowed = ("/accounts/logout/", "/shops/switch/")
    foreign = [form for form in forms if not any(f'action="{each}"' in form for each in allowed)]
    mine = path in ("/settings/profile/", "/settings/planning/")
    assert len(foreign) == (1 if mine else 0)
    assert path != "/settings/planning/" or '<fieldset class="plain-fieldset" disabled>' in text


def test_the_shop_is_changed_and_the_trail_keeps_what_was_there_before(shop: Shop, owner: Client) -> None:
    sent = {"name": "Fern & Finch", "country": "DE", "currency": "EUR", "time_zone": "Europe/Berlin",
            "locale": "de-de"}
    assert "5,000" in page(owner, "/settings/")
    assert owner.post("/settings/", sent).status_code == 302
    found = Tenant.objects.get(pk=shop.tenant.pk)
    assert (found.name, found.country, found.currency, found.time_zone, found.locale) == tuple(sent.values())
    text = page(owner, "/settings/")
    assert "5.000" in text and "5,000" not in text and '"numbers": "de-de"' in text
    entry = AuditEntry.objects.get(action="tenant.changed")
    assert entry.detail["before"]["time_zone"] == "America/New_York"
    text = page(owner, "/settings/audit/")
    assert "changed the shop" in text and "America/New_York → Europe/Berlin" in text


def test_a_value_that_the_form_does_not_know_is_kept(shop: Shop, owner: Client) -> None:
    Tenant.objects.filter(pk=shop.tenant.pk).update(currency="XAF", time_zone="EST5EDT")
    text = page(owner, "/settings/")
    assert '<option value="XAF" selected>' in text and '<option value="EST5EDT" selected>' in text


@pytest.mark.parametrize("role", [Role.MANAGER, Role.PLANNER, Role.VIEWER])
def test_only_owners_change_the_shop_its_people_and_keys(shop: Shop, role: str) -> None:
    client = signed_in(shop, role)
    member = Membership.objects.get(tenant=shop.tenant)
    key, _secret = issue_key(tenant=shop.tenant, name="export", permissions=["read"], actor=None)
    invitation, _token = invite_person(tenant=shop.tenant, email="a@example.test", role="viewer", actor=make_user())
    for path in ("/settings/", "/settings/people/invite/", f"/settings/people/{member.pk}/role/",
                 f"/settings/people/{member.pk}/remove/", f"/settings/people/invitations/{invitation.pk}/withdraw/",
                 "/settings/keys/", f"/settings/keys/{key.pk}/revoke/"):
        assert client.post(path, {"role": "owner", "name": "x", "permissions": "read"}).status_code == 403, path
    key.refresh_from_db()
    assert key.is_live and Membership.objects.get(pk=member.pk).role == role


# --- People -------------------------------------------------------------------------------------------------------

def test_an_invitation_goes_by_mail_and_its_link_is_shown_this_once(shop: Shop, owner: Client) -> None:
    response = owner.post("/settings/people/invite/", {"email": "Noor@Example.test", "role": "planner"})
    text = response.content.decode()
    found = re.search(r'value="(http://testserver(/invitations/[^"]+/))"', text)
    assert found is not None and "no-store" in response.headers["Cache-Control"]
    [sent] = mail.outbox
    assert sent.to == ["noor@example.test"] and found[1] in sent.body
    assert found[2] not in page(owner, "/settings/people/") and "noor@example.test" in page(owner, "/settings/people/")
    assert "Join" in page(Client(), found[2])
    assert found[2].split("/")[2] not in str(list(Invitation.objects.values())), "only a hash is kept"


def test_an_invitation_can_be_withdrawn(shop: Shop, owner: Client) -> None:
    owner.post("/settings/people/invite/", {"email": "noor@example.test", "role": "planner"})
    owner.post(f"/settings/people/invitations/{Invitation.objects.get().pk}/withdraw/")
    assert not Invitation.objects.exists()


def test_what_cannot_be_invited_is_said_in_the_form(shop: Shop, owner: Client) -> None:
    mine = Membership.objects.get().user.email
    for email, words in ((mine, f"{mine} is already here."), ("no address", "Enter a valid email address.")):
        text = owner.post("/settings/people/invite/", {"email": email, "role": "viewer"}).content.decode()
        assert escape(words) in text
    assert not Invitation.objects.exists() and not mail.outbox


def test_roles_change_and_the_last_owner_stays(shop: Shop, owner: Client) -> None:
    signed_in(shop, "viewer")
    mine, other = Membership.objects.order_by("pk")
    owner.post(f"/settings/people/{other.pk}/role/", {"role": "manager"})
    other.refresh_from_db()
    assert other.role == "manager"
    owner.post(f"/settings/people/{mine.pk}/role/", {"role": "viewer"})
    assert "A shop needs an owner" in page(owner, "/settings/people/")
    owner.post(f"/settings/people/{mine.pk}/remove/")
    assert Membership.objects.filter(pk=mine.pk, role="owner").exists()
    owner.post(f"/settings/people/{other.pk}/remove/")
    assert not Membership.objects.filter(pk=other.pk).exists()


# --- Keys ---------------------------------------------------------------------------------------------------------

def test_a_key_is_shown_once_works_and_is_revoked(shop: Shop, owner: Client) -> None:
    response = owner.post("/settings/keys/", {"name": "Nightly", "permissions": ["read", "import"], "days": "30"})
    found = re.search(r'id="key-secret" readonly value="(sw_[^"]+)"', response.content.decode())
    assert found is not None and "no-store" in response.headers["Cache-Control"]
    key = live_key(found[1])
    assert key is not None and key.tenant == shop.tenant and sorted(key.permissions) == ["import", "read"]
    assert key.expires_at is not None and (key.expires_at - key.created_at).days in (29, 30)
    assert found[1] not in page(owner, "/settings/keys/") and "Nightly" in page(owner, "/settings/keys/")
    owner.post(f"/settings/keys/{key.pk}/revoke/")
    assert live_key(found[1]) is None and "revoked" in page(owner, "/settings/keys/")


def test_no_key_administers_and_none_is_made_without_a_permission(owner: Client) -> None:
    for permissions in (["administer"], [], ["read", "everything"]):
        text = owner.post("/settings/keys/", {"name": "x", "permissions": permissions, "days": "30"}).content.decode()
        assert "field-error" in text
    assert not ApiKey.objects.exists()


# --- Another shop's ------------------------------------------------------------------------------------------------

def test_an_outsider_cannot_touch_another_shops_people_invitations_or_keys(shop: Shop, owner: Client) -> None:
    outsider = signed_in(make_shop(0), Role.OWNER)
    member = Membership.objects.get(tenant=shop.tenant)
    key, _secret = issue_key(tenant=shop.tenant, name="export", permissions=["read"], actor=None)
    invitation, _token = invite_person(tenant=shop.tenant, email="a@example.test", role="viewer", actor=member.user)
    for path in (f"/settings/people/{member.pk}/role/", f"/settings/people/{member.pk}/remove/",
                 f"/settings/people/invitations/{invitation.pk}/withdraw/", f"/settings/keys/{key.pk}/revoke/"):
        assert outsider.post(path, {"role": "viewer"}).status_code == 404, path
    for path in PAGES:
        text = page(outsider, path)
        assert member.user.email not in text and "a@example.test" not in text and key.prefix not in text


def test_the_trail_is_searched_and_paged_and_asks_no_more_when_it_is_long(shop: Shop, owner: Client) -> None:
    for number in range(120):
        record_audit(tenant=shop.tenant, actor=None, action="job.retried", target=f"forecast #{number}")
    assert page(owner, "/settings/audit/").count("ran a job again") == 50
    assert page(owner, "/settings/audit/?q=%23119").count("ran a job again") == 1
    assert "forecast #0" in page(owner, "/settings/audit/?page=3")


def test_the_trail_says_what_was_done_in_words_and_in_the_shops_numbers(shop: Shop, owner: Client) -> None:
    Tenant.objects.filter(pk=shop.tenant.pk).update(locale="de-de")
    for action, detail in (
            ("file.confirmed", {"kind": "orders", "options": {
                "numbers": "comma", "dates": "dmy", "unknown_items": "make", "fold_locations": ""}}),
            ("defaults.changed", {"before": {"planned_units_per_week": "0.25", "cash_budget": "None",
                                             "lead_time_days": "14.0", "cost_share": "0.6"},
                                  "after": {"planned_units_per_week": "0.5", "cash_budget": "12000.00",
                                            "lead_time_days": "9.5", "cost_share": "0.555"}}),
            ("sale.quantity_said", {"before": "1200", "after": "1.5"}),
            ("model.alias", {"before": "", "after": "demand 3", "reason": "won"}),
            ("key.issued", {"permissions": ["read", "import"]})):
        record_audit(tenant=shop.tenant, actor=None, action=action, target="x", detail=detail)
    for target in ("2017-12-09", "orders.csv"):
        record_audit(tenant=shop.tenant, actor=None, action="demo.days_let_in", target=target)
    text = page(owner, "/settings/audit/")
    assert ">9 Dec 2017<" in text and "2017-12-09" not in text and ">orders.csv<" in text
    lines = [unescape(line) for line in re.findall(r'<span class="cell-sub">(.*?)</span>', text)]
    assert set(lines) >= {
        "what it holds: order lines", "numbers are written: 1.234,56", "dates such as 03/04/2025 mean: 3 April",
        "items that are not in the catalog: are made", "planned from, units a week: 0,25 → 0,5",
        "cash for one plan: nothing → 12.000", "lead time: 14 days → 9,5 days",
        "unit cost, of the price: 60% → 55,5%", "quantity: 1.200 → 1,5", "changed: nothing → demand 3", "reason: won",
        "may: look, bring in data"}
    assert not any(sign in line for line in lines for sign in "{}_[]'") and "confirmed a file" in text


def test_everything_that_is_written_down_has_words() -> None:
    written = {found for path in (Path(settings.BASE_DIR) / "apps").rglob("*.py") for found in re.findall(
        r'(?:action=|_audited\(order, )"([a-z]+\.[a-z_]+)"', path.read_text())}
    assert len(written) > 20 and written <= audit_actions().keys()
