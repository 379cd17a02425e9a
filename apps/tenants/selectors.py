"""Who is who: tenants, memberships, keys."""

from __future__ import annotations

import hashlib

from django.db.models import QuerySet
from django.utils import timezone

from apps.tenants.models import ApiKey, AuditEntry, Invitation, Membership, Tenant, User


def token_hash(token: str) -> str:
    """What is kept of a secret: the tokens are random and long, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(token.encode()).hexdigest()


def active_tenants() -> QuerySet[Tenant]:
    return Tenant.objects.filter(status=Tenant.Status.ACTIVE).order_by("pk")


def tenant_by_id(tenant_id: int) -> Tenant:
    return Tenant.objects.get(pk=tenant_id)


def tenant_by_slug(slug: str) -> Tenant | None:
    return Tenant.objects.filter(slug=slug).first()


def memberships_of(user: User) -> QuerySet[Membership]:
    return Membership.objects.filter(user=user).select_related("tenant").order_by("pk")


def people_of(tenant: Tenant) -> QuerySet[Membership]:
    return Membership.objects.filter(tenant=tenant).select_related("user").order_by("pk")


def open_invitations(tenant: Tenant) -> QuerySet[Invitation]:
    return Invitation.objects.filter(tenant=tenant, accepted_at=None).order_by("-created_at")


def invitation_by_token(token: str) -> Invitation | None:
    return (Invitation.objects.select_related("tenant")
            .filter(token_hash=token_hash(token), accepted_at=None, expires_at__gt=timezone.now()).first())


def keys_of(tenant: Tenant) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(tenant=tenant).order_by("-created_at")


def live_key(secret: str) -> ApiKey | None:
    """The key behind a secret, with its tenant; None for an unknown, expired or revoked one."""
    key = ApiKey.objects.select_related("tenant").filter(key_hash=token_hash(secret)).first()
    return key if key is not None and key.is_live else None


def audit_trail(tenant: Tenant) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(tenant=tenant).order_by("-created_at", "-pk")


def has_demo() -> bool:
    return Tenant.objects.filter(demo_date__isnull=False).exists()
