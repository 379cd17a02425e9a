"""The doors: signing in and up, invitations, shops of one's own, and what a suspended shop shows."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.test import Client, override_settings

from apps.catalog.models import PlanningDefaults
from apps.tenants.countries import COUNTRIES, CURRENCIES, CURRENCY_OF, NUMBERS_OF, ZONE_OF
from apps.tenants.forms import NUMBER_CHOICES, time_zones
from apps.tenants.models import Membership, Role, Tenant, User
from apps.tenants.scope import tenant_context
from apps.tenants.services import invite_person
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import make_shop
from tests.rows import make_tenant_row, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "a very long password"
NEW_SHOP = {"name": "Ann Hale", "email": "ann@example.test", "password1": PASSWORD, "password2": PASSWORD,
            "shop_name": "Fern & Finch", "country": "DE", "currency": "EUR", "time_zone": "Europe/Berlin"}


def test_signing_up_makes_a_person_and_their_shop_and_signs_them_in() -> None:
    client = Client()
    response = client.post("/accounts/signup/", NEW_SHOP)
    assert response.status_code == 302, response.content.decode()
    tenant, user = Tenant.objects.get(), User.objects.get()
    assert (tenant.name, tenant.country, tenant.currency, tenant.time_zone) == ("Fern & Finch", "DE", "EUR",
                                                                                "Europe/Berlin")
    assert user.name == "Ann Hale" and user.check_password(PASSWORD)
    assert Membership.objects.get(user=user, tenant=tenant).role == Role.OWNER
    with tenant_context(tenant.pk):
        assert PlanningDefaults.objects.count() == 1
    assert "Fern &amp; Finch" in page(client, "/")


@pytest.mark.parametrize(("country", "currency", "zone", "locale"), [
    ("DE", "EUR", "Europe/Berlin", "de-de"), ("CH", "CHF", "Europe/Zurich", "de-ch"),
    ("ZW", "USD", "Africa/Harare", "en-us"), ("US", "USD", "America/New_York", "en-us"),
])
def test_a_shop_has_its_countrys_money_clock_and_numbers_unless_it_says_otherwise(
        country: str, currency: str, zone: str, locale: str) -> None:
    Client().post("/accounts/signup/", {**NEW_SHOP, "country": country, "currency": "", "time_zone": ""})
    made = Tenant.objects.get()
    assert (made.currency, made.time_zone, made.locale) == (currency, zone, locale)
    countries = {code for code, _name in COUNTRIES}
    assert set(CURRENCY_OF) <= countries and set(CURRENCY_OF.values()) <= {code for code, _name in CURRENCIES}
    assert set(ZONE_OF) == countries and set(ZONE_OF.values()) <= {zone for zone, _name in time_zones()}
    assert set(NUMBERS_OF) <= countries and set(NUMBERS_OF.values()) | {"en-us"} == set(dict(NUMBER_CHOICES))


def test_the_browsers_country_is_chosen_beforehand() -> None:
    for languages, shown in (("de-CH,de;q=0.9", "CH"), ("en", ""), ("xx-XX", "")):
        text = Client(headers={"accept-language": languages}).get("/accounts/signup/").content.decode()
        assert f'value="{shown}" selected' in text


@pytest.mark.parametrize(("field", "value"), [
    ("currency", "XXX"), ("time_zone", "Mars/Base"), ("country", "ZZ"), ("shop_name", ""), ("email", "ann"),
    ("password2", "another long password"), ("name", ""),
])
def test_a_sign_up_that_lacks_something_makes_nothing_and_says_what(field: str, value: str) -> None:
    response = Client().post("/accounts/signup/", {**NEW_SHOP, field: value})
    assert response.status_code == 200 and "field-error" in response.content.decode()
    assert not Tenant.objects.exists() and not User.objects.exists()


def test_an_address_that_is_taken_makes_no_second_shop() -> None:
    make_user("ann@example.test")
    Client().post("/accounts/signup/", NEW_SHOP)
    assert not Tenant.objects.exists() and User.objects.count() == 1


@override_settings(ACCOUNT_EMAIL_VERIFICATION="mandatory")
def test_where_addresses_are_verified_the_shop_waits_behind_the_mail() -> None:
    client = Client()
    response = client.post("/accounts/signup/", NEW_SHOP)
    assert response.headers["Location"] == "/accounts/confirm-email/"
    assert client.get("/").status_code == 302, "not in yet"
    [sent] = mail.outbox
    found = re.search(r"/accounts/confirm-email/[^/\s]+/", str(sent.body))
    assert found is not None
    assert client.get(found[0]).status_code == 200
    client.post(found[0])
    client.post("/accounts/login/", {"login": "ann@example.test", "password": PASSWORD})
    assert "Fern &amp; Finch" in page(client, "/")


def test_signing_in_and_out() -> None:
    make_user("ann@example.test")
    client = Client()
    assert "This is a demo" not in page(client, "/accounts/login/")
    assert client.post("/accounts/login/", {"login": "ann@example.test", "password": "wrong"}).status_code == 200
    assert client.post("/accounts/login/", {"login": "ann@example.test",
                                            "password": "a long password"}).status_code == 302
    assert "You are not in a shop yet" in page(client, "/")
    client.post("/accounts/logout/")
    assert client.get("/").status_code == 302


def test_where_a_demo_is_the_sign_in_page_says_where_its_figures_come_from() -> None:
    make_tenant_row(demo_date="2017-12-04")
    text = page(Client(), "/accounts/login/")
    assert "2,469 US grocery households" in text and "no evidence for your shop" in text


def test_the_other_pages_of_the_door_open() -> None:
    for path in ("/accounts/signup/", "/accounts/password/reset/", "/accounts/password/reset/done/",
                 "/accounts/confirm-email/", "/accounts/inactive/"):
        assert "<h1>" in page(Client(), path)
    client = signed_in(make_shop(0))
    for path in ("/accounts/email/", "/accounts/password/change/", "/accounts/logout/", "/settings/profile/",
                 "/shops/new/"):
        assert "<h1>" in page(client, path)


# --- Invitations --------------------------------------------------------------------------------------------------

def invitation_for(email: str, role: str = Role.PLANNER) -> tuple[Tenant, str]:
    shop = make_shop(0)
    owner = make_user()
    Membership.objects.create(tenant=shop.tenant, user=owner, role=Role.OWNER)
    _invitation, token = invite_person(tenant=shop.tenant, email=email, role=role, actor=owner)
    return shop.tenant, f"/invitations/{token}/"


def test_somebody_new_signs_up_by_the_link_joins_that_shop_and_gets_none_of_their_own() -> None:
    tenant, link = invitation_for("noor@example.test")
    client = Client()
    text = page(client, link)
    found = re.search(r'href="(/accounts/signup/\?next=[^"]+)"', text)
    assert found is not None
    form = page(client, found[1])
    assert 'name="shop_name"' not in form and 'value="noor@example.test"' in form
    sent = {"name": "Noor", "email": "noor@example.test", "password1": PASSWORD, "password2": PASSWORD, "next": link}
    assert client.post("/accounts/signup/", sent).headers["Location"] == link
    assert "Join the shop" in page(client, link)
    assert client.post(link).headers["Location"] == "/"
    assert Membership.objects.get(user__email="noor@example.test").tenant == tenant
    assert Tenant.objects.count() == 1
    assert "no longer open" in page(Client(), link, 410), "a link works once"


@pytest.mark.parametrize(("way", "is_in"), [("shown", False), ("forged", False), ("mailed", True)])
@override_settings(ACCOUNT_EMAIL_VERIFICATION="mandatory")
def test_only_the_mailed_link_proves_the_address(way: str, is_in: bool) -> None:
    """Who invites sees a link too: with it, they could otherwise make an account in anybody's name."""
    inviter = signed_in(make_shop(0), "owner")
    shown = re.search(r'value="[^"]*(/invitations/[^"]+)"', inviter.post(
        "/settings/people/invite/", {"email": "noor@example.test", "role": "viewer"}).content.decode())
    mailed = re.search(r"/invitations/\S+", str(mail.outbox[-1].body))
    assert shown is not None and mailed is not None
    link = {"shown": shown[1], "forged": f"{shown[1]}?proof={shown[1].split('/')[2]}", "mailed": mailed[0]}[way]
    client = Client()
    client.get(link)
    response = client.post("/accounts/signup/", {"name": "Noor", "email": "noor@example.test", "password1": PASSWORD,
                                                 "password2": PASSWORD, "next": shown[1]})
    assert response.headers["Location"] == (shown[1] if is_in else "/accounts/confirm-email/")
    assert (client.get("/").status_code == 200) == is_in


def test_who_is_invited_needs_a_free_place_when_they_come() -> None:
    tenant, link = invitation_for("noor@example.test")
    Tenant.objects.filter(pk=tenant.pk).update(limits={"people": 1})
    client = Client()
    client.force_login(make_user("noor@example.test"))
    assert "all places are taken" in client.post(link, follow=True).content.decode()
    assert Membership.objects.filter(tenant=tenant).count() == 1
    Tenant.objects.filter(pk=tenant.pk).update(limits={"people": 2})
    client.post(link)
    assert Membership.objects.filter(tenant=tenant).count() == 2


def test_the_invitation_is_for_the_address_it_was_sent_to() -> None:
    tenant, link = invitation_for("noor@example.test")
    client = Client()
    client.get(link)
    sent = {"name": "Eve", "email": "eve@example.test", "password1": PASSWORD, "password2": PASSWORD}
    assert "sent to another address" in client.post("/accounts/signup/", sent).content.decode()
    eve = make_user("eve@example.test")
    client.force_login(eve)
    assert "You are signed in as eve@example.test" in page(client, link)
    client.post(link)
    assert not Membership.objects.filter(user=eve).exists()
    assert not Membership.objects.filter(tenant=tenant, role=Role.PLANNER).exists()


def test_somebody_known_joins_after_signing_in() -> None:
    tenant, link = invitation_for("noor@example.test", Role.VIEWER)
    noor = make_user("noor@example.test")
    client = Client()
    client.force_login(noor)
    client.post(link)
    assert Membership.objects.get(user=noor, tenant=tenant).role == Role.VIEWER
    assert client.session["tenant_id"] == tenant.pk


# --- Shops --------------------------------------------------------------------------------------------------------

def test_somebody_without_a_shop_makes_one() -> None:
    client = Client()
    client.force_login(make_user())
    response = client.post("/shops/new/", {key: NEW_SHOP[key] for key in ("shop_name", "country", "currency",
                                                                          "time_zone")})
    assert response.status_code == 302
    assert Membership.objects.get().role == Role.OWNER and Tenant.objects.get().name == "Fern & Finch"


def test_people_switch_between_their_own_shops_and_into_no_other() -> None:
    first, second, strange = make_shop(0), make_shop(0), make_shop(0)
    client = signed_in(first)
    Membership.objects.create(tenant=second.tenant, user=User.objects.get(), role=Role.VIEWER)
    assert f'value="{second.tenant.pk}"' in page(client, "/settings/")
    client.post("/shops/switch/", {"tenant": second.tenant.pk})
    assert f"<title>Settings · {second.tenant.name}" in page(client, "/settings/")
    for wrong in (strange.tenant.pk, "", "x", 10 ** 30, "9" * 5000):
        assert client.post("/shops/switch/", {"tenant": wrong}).status_code == 404
    assert f"<title>Settings · {second.tenant.name}" in page(client, "/settings/")


def form_token(client: Client, path: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page(client, path))
    assert found is not None
    return found[1]


def test_a_form_of_the_shop_before_does_nothing_in_the_shop_one_is_in_now() -> None:
    first, second = make_shop(0), make_shop(0)
    client = Client(enforce_csrf_checks=True)
    user = make_user()
    places = [Membership.objects.create(tenant=shop.tenant, user=user, role=Role.OWNER) for shop in (first, second)]
    client.force_login(user)
    old = form_token(client, "/settings/")
    invite = {"email": "x@example.test", "role": "viewer"}
    client.post("/shops/switch/", {"tenant": second.tenant.pk, "csrfmiddlewaretoken": old})
    response = client.post("/settings/people/invite/", {**invite, "csrfmiddlewaretoken": old})
    assert response.status_code == 403 and "Nothing was changed" in response.content.decode()
    fresh = form_token(client, "/settings/people/")
    places[1].delete()  # taken away while the page is open
    assert client.post("/settings/people/invite/", {**invite, "csrfmiddlewaretoken": fresh}).status_code == 403
    assert not first.tenant.invitations.exists() and not second.tenant.invitations.exists()
    again = form_token(client, "/settings/people/")
    assert client.post("/settings/people/invite/", {**invite, "csrfmiddlewaretoken": again}).status_code == 200
    assert first.tenant.invitations.exists()


def test_who_never_switched_notices_too_that_their_shop_is_another_one_now() -> None:
    first, second = make_shop(0), make_shop(0)
    client, user = Client(enforce_csrf_checks=True), make_user()
    places = [Membership.objects.create(tenant=shop.tenant, user=user, role=Role.OWNER) for shop in (first, second)]
    client.force_login(user)
    token = form_token(client, "/settings/people/")
    seen = client.session["tenant_id"]
    next(place for place in places if place.tenant_id == seen).delete()
    sent = {"email": "x@example.test", "role": "owner", "csrfmiddlewaretoken": token}
    assert client.post("/settings/people/invite/", sent).status_code == 403
    assert not first.tenant.invitations.exists() and not second.tenant.invitations.exists()


def test_a_person_whose_only_shop_is_suspended_may_join_or_make_another() -> None:
    client = signed_in(make_shop(0))
    Tenant.objects.update(status=Tenant.Status.SUSPENDED)
    _tenant, link = invitation_for("noor@example.test")
    assert client.get(link).status_code == 200 and client.get("/shops/new/").status_code == 200
    assert client.get("/settings/").status_code == 403


@pytest.mark.parametrize("path", ["/accounts/login/", "/admin/login/"])
def test_without_a_broker_people_still_sign_in(path: str) -> None:
    make_user("ann@example.test", is_staff=True, is_superuser=True)
    away = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    with override_settings(ACCOUNT_RATE_LIMITS={"login_failed": "6/m/ip,4/5m/key"}, CACHES=away):
        response = Client().post(path, {"login": "ann@example.test", "username": "ann@example.test",
                                        "password": "a long password"})
    assert response.status_code == 302


def test_a_session_of_odd_characters_is_none() -> None:
    assert Client(HTTP_COOKIE='sessionid="\\000aaaa"').get("/accounts/login/").status_code == 200


def test_no_cache_keeps_a_shops_page() -> None:
    assert "no-store" in signed_in(make_shop(0)).get("/settings/").headers["Cache-Control"]


LIMITED = override_settings(ACCOUNT_RATE_LIMITS={"login_failed": "6/m/ip,4/5m/key"}, ALLAUTH_TRUSTED_PROXY_COUNT=1)


def tries(path: str, name: str, count: int, came_from: str, email: str = "", password: str = "wrong") -> str:
    """The last answer to so many tries to sign in."""
    text = ""
    for number in range(count):
        response = Client().post(path, {name: email or f"{number}@example.test", "password": password},
                                 headers={"x-forwarded-for": came_from})
        text = "in" if response.status_code == 302 else response.content.decode()
    return text


@pytest.mark.parametrize(("path", "name"), [("/accounts/login/", "login"), ("/admin/login/", "username")])
def test_who_tries_too_often_waits_and_nobody_else_does(path: str, name: str) -> None:
    cache.clear()
    make_user("ann@example.test", is_staff=True, is_superuser=True)
    with LIMITED:
        assert tries(path, name, 1, "203.0.113.1", "ann@example.test", "a long password") == "in"
        assert "Too many" in tries(path, name, 7, "203.0.113.1"), "an address"
        # What the client claims stands left of what the proxy saw.
        assert "Too many" in tries(path, name, 1, "198.51.100.7, 203.0.113.1", "ann@example.test", "a long password")
        assert tries(path, name, 1, "203.0.113.2", "ann@example.test", "a long password") == "in", "others come in"
        assert "Too many" in tries(path, name, 5, "203.0.113.3", "ann@example.test"), "one name"
    cache.clear()


def test_a_throttled_page_says_how_long_to_wait() -> None:
    cache.clear()
    with override_settings(ACCOUNT_RATE_LIMITS={"signup": "1/m/ip"}):
        Client().post("/accounts/signup/", {})
        response = Client().post("/accounts/signup/", {})
    assert response.status_code == 429 and response.headers["Retry-After"] == "300"
    assert "Too many tries" in response.content.decode()
    cache.clear()


def test_a_suspended_shop_shows_only_that_and_lets_people_out() -> None:
    shop = make_shop(2)
    client = signed_in(shop, "owner")
    Tenant.objects.update(status="suspended")
    for path in ("/", "/items/", f"/items/{shop.items[0].pk}/", "/settings/"):
        text = page(client, path, 403)
        assert "This shop is suspended" in text and "sku-0" not in text
    client.post("/accounts/logout/")
    assert client.get("/").status_code == 302


def test_pages_that_are_not_there_or_not_allowed_are_said_in_the_houses_words() -> None:
    shop = make_shop(0)
    viewer = signed_in(shop, "viewer")
    assert "There is nothing here" in page(viewer, "/no/such/page/", 404)
    assert "There is nothing here" in page(Client(), "/no/such/page/", 404)
    response = viewer.post("/settings/people/invite/", {"email": "x@example.test", "role": "owner"})
    assert response.status_code == 403 and "Your role in this shop does not allow this." in response.content.decode()
    strict = Client(enforce_csrf_checks=True)
    assert "The page was too old" in strict.post("/accounts/login/", {}).content.decode()


def test_somebody_with_a_shop_makes_another_and_stands_in_it() -> None:
    client = signed_in(make_shop(0))
    response = client.post("/shops/new/", {key: NEW_SHOP[key] for key in ("shop_name", "country", "currency",
                                                                          "time_zone")})
    assert response.status_code == 302
    assert Membership.objects.filter(user=User.objects.get()).count() == 2
    assert "Fern &amp; Finch" in page(client, "/settings/")


def test_a_suspended_shop_does_not_stand_between_a_person_and_their_other_shops() -> None:
    suspended, other = make_shop(0), make_shop(0)
    client = signed_in(suspended)
    Membership.objects.create(tenant=other.tenant, user=User.objects.get(), role=Role.OWNER)
    Tenant.objects.filter(pk=suspended.tenant.pk).update(status=Tenant.Status.SUSPENDED)
    assert other.tenant.name in page(client, "/settings/")
