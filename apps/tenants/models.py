"""Tenants, people and how they get in. These tables stand outside row-level security: they decide who is who."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    """Makes people by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Staff are Stockwright's operators; merchants' people are members of tenants."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_active = models.BooleanField(_("may sign in"), default=True)
    is_staff = models.BooleanField(_("operator"), default=False)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [models.UniqueConstraint(Lower("email"), name="tenants_user_email_once")]

    def __str__(self) -> str:
        return self.name or self.email


class Tier(models.TextChoices):
    STARTER = "starter", _("Starter")
    GROWTH = "growth", _("Growth")
    SCALE = "scale", _("Scale")


# What a tier allows where the tenant has no limit of its own.
TIER_LIMITS: dict[str, dict[str, int]] = {
    Tier.STARTER: {"items": 5_000, "people": 3, "jobs_at_once": 1, "requests_per_minute": 120},
    Tier.GROWTH: {"items": 50_000, "people": 15, "jobs_at_once": 2, "requests_per_minute": 600},
    Tier.SCALE: {"items": 1_000_000, "people": 200, "jobs_at_once": 4, "requests_per_minute": 3_000},
}


class Tenant(models.Model):
    """One merchant: what is theirs, they alone see."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        SUSPENDED = "suspended", _("suspended")

    slug = models.SlugField(_("short name"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    currency = models.CharField(_("currency"), max_length=3, default="USD", help_text=_("ISO 4217, such as USD"))
    time_zone = models.CharField(_("time zone"), max_length=60, default="UTC")
    locale = models.CharField(_("locale"), max_length=12, default="en-us")
    country = models.CharField(_("country"), max_length=2, default="US", help_text=_("For public holidays"))
    tier = models.CharField(_("tier"), max_length=12, choices=Tier, default=Tier.STARTER)
    limits = models.JSONField(_("own limits"), default=dict, blank=True,
                              help_text=_("Overrides the tier: items, people, jobs_at_once, requests_per_minute"))
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.ACTIVE)
    demo_date = models.DateField(_("the demo's own date"), null=True, blank=True,
                                 help_text=_("Where a demo stands; empty for a real shop"))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        constraints = [
            models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="tenants_currency_is_iso"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """What workers and clocks of all tenants read has to be right for each: a zone, and limits in whole numbers."""
        if self.time_zone not in available_timezones():
            raise ValidationError({"time_zone": _("There is no such time zone; one is, for example, Europe/Berlin.")})
        self.limits = self.limits or {}
        if not isinstance(self.limits, dict):
            raise ValidationError({"limits": _("Own limits are names with numbers, such as {\"people\": 5}.")})
        names = TIER_LIMITS[Tier.STARTER]
        wrong = [str(name) for name, value in self.limits.items()
                 if name not in names or type(value) is not int or value < 1]
        if wrong:
            raise ValidationError({"limits": _("%(wrong)s: a limit is one of %(names)s, and a whole number from 1 on.")
                                   % {"wrong": ", ".join(wrong), "names": ", ".join(names)}})

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def is_demo(self) -> bool:
        return self.demo_date is not None

    def today(self) -> dt.date:
        """The tenant's business day: the only source of `as_of`."""
        return self.demo_date or timezone.now().astimezone(self.zone).date()

    def now(self) -> dt.datetime:
        """This moment by the tenant's clock: in a demo, this time of day on its own date."""
        now = timezone.now()
        return now if self.demo_date is None else dt.datetime.combine(
            self.demo_date, now.astimezone(self.zone).time(), self.zone)

    def limit(self, name: str) -> int:
        return int(self.limits.get(name, TIER_LIMITS[self.tier][name]))


class Role(models.TextChoices):
    OWNER = "owner", _("owner")
    MANAGER = "manager", _("manager")
    PLANNER = "planner", _("planner")
    VIEWER = "viewer", _("viewer")


class Permission(models.TextChoices):
    """What a role or a key may do; each implies nothing about the others."""

    READ = "read", _("look")
    PLAN = "plan", _("decide on recommendations and purchase orders")
    IMPORT = "import", _("bring in data")
    OPERATE = "operate", _("cancel and retry jobs, promote models, change planning rules")
    ADMINISTER = "administer", _("people, keys and the shop itself")


ROLE_PERMISSIONS: dict[str, frozenset[str]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.PLANNER: frozenset({Permission.READ, Permission.PLAN, Permission.IMPORT}),
    Role.MANAGER: frozenset({Permission.READ, Permission.PLAN, Permission.IMPORT, Permission.OPERATE}),
    Role.OWNER: frozenset(Permission),
}


class Membership(models.Model):
    """A person's place in a tenant."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=12, choices=Role, default=Role.VIEWER)
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="tenants_membership_once")]

    def __str__(self) -> str:
        return f"{self.user} · {self.tenant}"

    def may(self, permission: str) -> bool:
        return permission in ROLE_PERMISSIONS[self.role]


class Invitation(models.Model):
    """An open door for one e-mail address; only a hash of its token is kept."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail"))
    role = models.CharField(_("role"), max_length=12, choices=Role, default=Role.VIEWER)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(_("sent"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"))
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        indexes = [models.Index(fields=["tenant", "accepted_at"], name="tenants_invitation_open")]

    def __str__(self) -> str:
        return f"{self.email} · {self.tenant}"


class ApiKey(models.Model):
    """A program's way in: prefixed so that it can be recognised, hashed so that it cannot be read."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(_("prefix"), max_length=16, unique=True, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    permissions = ArrayField(models.CharField(max_length=12, choices=Permission), verbose_name=_("permissions"))
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        indexes = [models.Index(fields=["tenant", "revoked_at"], name="tenants_apikey_live")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def may(self, permission: str) -> bool:
        return permission in self.permissions


class AuditEntry(models.Model):
    """Who did what to what, and when. Written once, never changed: the application's role may only insert."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False,
                              db_constraint=False)
    actor_label = models.CharField(_("who"), max_length=160)
    action = models.CharField(_("what"), max_length=60)
    target = models.CharField(_("on what"), max_length=200, blank=True)
    detail = models.JSONField(_("detail"), default=dict)
    created_at = models.DateTimeField(_("when"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit trail")
        indexes = [models.Index(fields=["tenant", "-created_at"], name="tenants_audit_recent")]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M} {self.actor_label}: {self.action} {self.target}".strip()
