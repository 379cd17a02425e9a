"""People and keys: who gets in, who stays, and what is written down of it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.tenants import selectors, services
from apps.tenants.models import AuditEntry, Membership, Permission, Role, Tenant
from apps.tenants.services import NotAllowed
from tests.rows import make_tenant_row, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return services.make_tenant(name="Blue Door", owner=make_user("owner@example.test"))


def owner_of(tenant: Tenant) -> Membership:
    return Membership.objects.get(tenant=tenant, role=Role.OWNER)


def test_two_shops_of_one_name_get_two_addresses(tenant: Tenant) -> None:
    second = services.make_tenant(name="Blue Door", owner=None)
    assert (tenant.slug, second.slug) == ("blue-door", "blue-door-2")


def test_a_tenants_day_is_its_own_zones_day_and_a_demos_is_its_own() -> None:
    east, west = make_tenant_row(time_zone="Pacific/Kiritimati"), make_tenant_row(time_zone="Pacific/Pago_Pago")
    assert east.today() - west.today() in (dt.timedelta(days=1), dt.timedelta(days=2))
    assert make_tenant_row(demo_date=dt.date(2017, 12, 4)).today() == dt.date(2017, 12, 4)


def test_a_demos_day_only_moves_forward_and_a_real_shops_not_at_all(tenant: Tenant) -> None:
    demo = make_tenant_row(demo_date=dt.date(2017, 12, 4))
    assert services.let_demo_day_pass(tenant=demo, to=dt.date(2017, 12, 5)).today() == dt.date(2017, 12, 5)
    with pytest.raises(NotAllowed):
        services.let_demo_day_pass(tenant=demo, to=dt.date(2017, 12, 4))
    with pytest.raises(NotAllowed):
        services.let_demo_day_pass(tenant=tenant, to=dt.date(2030, 1, 1))


def test_a_shop_keeps_an_owner(tenant: Tenant) -> None:
    with pytest.raises(NotAllowed):
        services.change_role(membership=owner_of(tenant), role=Role.VIEWER, actor=None)
    with pytest.raises(NotAllowed):
        services.remove_person(membership=owner_of(tenant), actor=None)
    first = owner_of(tenant)
    services.add_person(tenant=tenant, user=make_user(), role=Role.OWNER, actor=None)
    services.remove_person(membership=first, actor=None)
    assert selectors.people_of(tenant).count() == 1


class TestInvitations:
    def test_an_invitation_lets_its_address_in_once(self, tenant: Tenant) -> None:
        _, token = services.invite_person(tenant=tenant, email="New@Example.test", role=Role.PLANNER,
                                          actor=owner_of(tenant).user)
        with pytest.raises(NotAllowed):
            services.accept_invitation(token=token, user=make_user("somebody.else@example.test"))
        person = make_user("new@example.test")
        assert services.accept_invitation(token=token, user=person).role == Role.PLANNER
        with pytest.raises(NotAllowed):
            services.accept_invitation(token=token, user=person)

    def test_an_old_or_replaced_invitation_opens_nothing(self, tenant: Tenant) -> None:
        actor, person = owner_of(tenant).user, make_user("late@example.test")
        _, replaced = services.invite_person(tenant=tenant, email=person.email, role=Role.VIEWER, actor=actor)
        invitation, token = services.invite_person(tenant=tenant, email=person.email, role=Role.VIEWER, actor=actor)
        invitation.expires_at = timezone.now() - dt.timedelta(seconds=1)
        invitation.save()
        for stale in (replaced, token, "made up"):
            assert selectors.invitation_by_token(stale) is None
            with pytest.raises(NotAllowed):
                services.accept_invitation(token=stale, user=person)

    def test_a_full_shop_says_how_many_places_it_has(self) -> None:
        tenant = services.make_tenant(name="Small", owner=make_user(), limits={"people": 1})
        with pytest.raises(NotAllowed, match="room for 1 people"):
            services.invite_person(tenant=tenant, email="a@example.test", role=Role.VIEWER,
                                   actor=owner_of(tenant).user)


class TestKeys:
    def test_a_secret_opens_until_it_is_revoked_or_expires_and_is_kept_only_as_a_hash(self, tenant: Tenant) -> None:
        key, secret = services.issue_key(tenant=tenant, name="till", permissions=["read"], actor=None)
        assert selectors.live_key(secret) == key
        assert secret.startswith(key.prefix)
        assert secret not in " ".join(str(value) for value in key.__dict__.values())
        services.revoke_key(key=key, actor=None)
        assert selectors.live_key(secret) is None
        _, old = services.issue_key(tenant=tenant, name="old", permissions=["read"], actor=None,
                                    expires_at=timezone.now() - dt.timedelta(seconds=1))
        assert selectors.live_key(old) is None
        assert selectors.live_key("sw_made_up") is None

    @pytest.mark.parametrize("permissions", [[], ["everything"], [Permission.ADMINISTER]])
    def test_a_key_has_named_permissions_and_never_manages_people(self, tenant: Tenant, permissions: list[str]) -> None:
        with pytest.raises(NotAllowed):
            services.issue_key(tenant=tenant, name="x", permissions=permissions, actor=None)


def test_what_was_done_is_written_down_with_who_and_what_was_before(tenant: Tenant) -> None:
    actor = owner_of(tenant).user
    services.change_tenant(tenant=tenant, actor=actor, name="Green Door")
    newest = selectors.audit_trail(tenant).first()
    assert newest is not None
    assert (newest.action, newest.actor_label) == ("tenant.changed", str(actor))
    assert newest.detail == {"before": {"name": "Blue Door"}, "after": {"name": "Green Door"}}
    other = make_tenant_row()
    assert not AuditEntry.objects.filter(tenant=other).exists()


@pytest.mark.parametrize("wrong", [{"time_zone": "Mars/Base"}, {"limits": {"jobs_at_once": "two"}}, {"limits": [1]},
                                   {"limits": {"requests_per_minute": 0}}, {"limits": {"items_at_most": 5}}])
def test_what_the_queue_and_the_clock_of_all_tenants_read_has_to_be_right(wrong: dict[str, object]) -> None:
    tenant = make_tenant_row()
    with pytest.raises(ValidationError):
        services.change_tenant(tenant=tenant, actor=None, **wrong)
    kept = services.change_tenant(tenant=Tenant.objects.get(pk=tenant.pk), actor=None, limits={"people": 5})
    assert kept.limit("people") == 5
