"""Tenants and people: signing up, inviting, keys, and the audit trail of all of it."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from django.core.signing import Signer
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.text import slugify
from django.utils.translation import gettext as _

from apps.tenants.models import ApiKey, AuditEntry, Invitation, Membership, Permission, Role, Tenant, User
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import token_hash

INVITATION_DAYS = 14
KEY_PREFIX = "sw_"


class NotAllowed(ValueError):
    """The change would break a rule about people; the message says which."""


# Called in the new tenant's scope, in the same transaction: apps above register what a tenant starts with.
_on_tenant_made: list[Callable[[Tenant], None]] = []


def on_tenant_made(hook: Callable[[Tenant], None]) -> None:
    """Let an app give every new tenant what it starts with (planning defaults, a first location)."""
    if hook not in _on_tenant_made:
        _on_tenant_made.append(hook)


def record_audit(*, tenant: Tenant | None, actor: User | None, action: str, target: str = "",
                 detail: dict[str, Any] | None = None, label: str = "") -> AuditEntry:
    """One line in the audit trail; `label` names an actor who is not a person (a key, a job)."""
    return AuditEntry.objects.create(tenant=tenant, actor=actor, action=action, target=target[:200],
                                     actor_label=(label or (str(actor) if actor else "Stockwright"))[:160],
                                     detail=detail or {})


@transaction.atomic
def make_tenant(*, name: str, owner: User | None, slug: str = "", actor: User | None = None, **fields: Any) -> Tenant:
    """A new tenant, with its owner and whatever the apps above give every tenant."""
    tenant = Tenant(name=name.strip(), slug=slug or free_slug(name), **fields)
    tenant.full_clean()
    tenant.save()
    if owner is not None:
        Membership.objects.create(tenant=tenant, user=owner, role=Role.OWNER)
    record_audit(tenant=tenant, actor=actor or owner, action="tenant.made", target=tenant.slug)
    with tenant_context(tenant.pk):
        for hook in _on_tenant_made:
            hook(tenant)
    return tenant


def free_slug(name: str) -> str:
    """A short name nobody has yet."""
    base = slugify(name)[:50] or "shop"
    taken = set(Tenant.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    if base not in taken:
        return base
    return next(f"{base}-{n}" for n in range(2, len(taken) + 3) if f"{base}-{n}" not in taken)


@transaction.atomic
def change_tenant(*, tenant: Tenant, actor: User | None, **fields: Any) -> Tenant:
    """Change a tenant's own facts; the audit trail keeps what was there before."""
    before = {name: str(getattr(tenant, name)) for name in fields}
    for name, value in fields.items():
        setattr(tenant, name, value)
    tenant.full_clean()
    tenant.save(update_fields=list(fields))
    record_audit(tenant=tenant, actor=actor, action="tenant.changed", target=tenant.slug,
                 detail={"before": before, "after": {name: str(value) for name, value in fields.items()}})
    return tenant


@transaction.atomic
def let_demo_day_pass(*, tenant: Tenant, to: dt.date) -> Tenant:
    """Move a demo tenant's own date forward; a real tenant's days pass by themselves."""
    locked = Tenant.objects.select_for_update().get(pk=tenant.pk)
    if locked.demo_date is None:
        raise NotAllowed(_("Only a demo has a date of its own."))
    if to < locked.demo_date:
        raise NotAllowed(_("A demo's date only moves forward."))
    locked.demo_date = to
    locked.save(update_fields=["demo_date"])
    return locked


@transaction.atomic
def add_person(*, tenant: Tenant, user: User, role: str, actor: User | None) -> Membership:
    """Give a person a place in a tenant; the same person twice is one place."""
    membership, made = Membership.objects.get_or_create(tenant=tenant, user=user, defaults={"role": role})
    if made:
        record_audit(tenant=tenant, actor=actor, action="person.added", target=user.email, detail={"role": role})
    return membership


@transaction.atomic
def change_role(*, membership: Membership, role: str, actor: User | None) -> Membership:
    """Change what a person may do; a tenant keeps at least one owner."""
    _keep_an_owner(membership, role)
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    record_audit(tenant=membership.tenant, actor=actor, action="person.role", target=membership.user.email,
                 detail={"before": before, "after": role})
    return membership


@transaction.atomic
def remove_person(*, membership: Membership, actor: User | None) -> None:
    """Take a person's place in a tenant away; the person and their other places stay."""
    _keep_an_owner(membership, None)
    record_audit(tenant=membership.tenant, actor=actor, action="person.removed", target=membership.user.email)
    membership.delete()


def _keep_an_owner(membership: Membership, role: str | None) -> None:
    owners = list(Membership.objects.select_for_update().filter(tenant=membership.tenant, role=Role.OWNER))
    if role != Role.OWNER and [owner.pk for owner in owners] == [membership.pk]:
        raise NotAllowed(_("A shop needs an owner: make someone else an owner first."))


@transaction.atomic
def invite_person(*, tenant: Tenant, email: str, role: str, actor: User) -> tuple[Invitation, str]:
    """An invitation and its token, which is shown once; an open one to the same address is replaced."""
    email = email.strip().lower()
    if Membership.objects.filter(tenant=tenant, user__email=email).exists():
        raise NotAllowed(_("%(email)s is already here.") % {"email": email})
    _need_a_seat(tenant)
    Invitation.objects.filter(tenant=tenant, email=email, accepted_at=None).delete()
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        tenant=tenant, email=email, role=role, invited_by=actor, token_hash=token_hash(token),
        expires_at=timezone.now() + dt.timedelta(days=INVITATION_DAYS))
    record_audit(tenant=tenant, actor=actor, action="person.invited", target=email, detail={"role": role})
    return invitation, token


def _need_a_seat(tenant: Tenant) -> None:
    """Raise NotAllowed where all places of the plan are taken; two who join at once wait for each other here."""
    seats = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk).limit("people")
    if Membership.objects.filter(tenant=tenant).count() >= seats:
        raise NotAllowed(_("The plan has room for %(seats)d people; all places are taken.") % {"seats": seats})


def mail_proof(token: str) -> str:
    """What only the mailed link of an invitation carries: who has it has read that mailbox, not just the screen."""
    return Signer(salt="tenants.invitation_mail").signature(token)


def came_by_mail(token: str, proof: str) -> bool:
    return constant_time_compare(proof, mail_proof(token))


@transaction.atomic
def accept_invitation(*, token: str, user: User) -> Membership:
    """Turn an invitation into a membership, once, for the address it was sent to."""
    invitation = (Invitation.objects.select_for_update().select_related("tenant")
                  .filter(token_hash=token_hash(token)).first())
    if invitation is None or invitation.accepted_at is not None or invitation.expires_at <= timezone.now():
        raise NotAllowed(_("This invitation is no longer open: ask for a new one."))
    if invitation.email.lower() != user.email.lower():
        raise NotAllowed(_("This invitation was sent to another address: sign in with that one."))
    if not Membership.objects.filter(tenant=invitation.tenant, user=user).exists():
        _need_a_seat(invitation.tenant)
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    return add_person(tenant=invitation.tenant, user=user, role=invitation.role, actor=user)


@transaction.atomic
def withdraw_invitation(*, invitation: Invitation, actor: User) -> None:
    """Close an invitation that nobody took."""
    record_audit(tenant=invitation.tenant, actor=actor, action="person.invitation_withdrawn", target=invitation.email)
    invitation.delete()


@transaction.atomic
def issue_key(*, tenant: Tenant, name: str, permissions: Iterable[str], actor: User | None,
              expires_at: dt.datetime | None = None) -> tuple[ApiKey, str]:
    """A key and its secret; the secret is shown once and cannot be read again."""
    granted = sorted(set(permissions))
    if not granted or not set(granted) <= set(Permission.values):
        raise NotAllowed(_("Choose at least one permission from the list."))
    if Permission.ADMINISTER in granted:
        raise NotAllowed(_("People and keys are managed by people, not by keys."))
    prefix = KEY_PREFIX + secrets.token_hex(4)
    secret = f"{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(tenant=tenant, name=name.strip(), prefix=prefix, key_hash=token_hash(secret),
                                permissions=granted, created_by=actor, expires_at=expires_at)
    record_audit(tenant=tenant, actor=actor, action="key.issued", target=prefix, detail={"permissions": granted})
    return key, secret


@transaction.atomic
def revoke_key(*, key: ApiKey, actor: User | None) -> ApiKey:
    """Close a key for good; revoking twice changes nothing."""
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        record_audit(tenant=key.tenant, actor=actor, action="key.revoked", target=key.prefix)
    return key


def touch_key(*, key: ApiKey) -> None:
    """Note that a key was used, at most once a minute."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > dt.timedelta(minutes=1):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
