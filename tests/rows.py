"""A valid row of any tenant table, made from its model alone, so that a new table is tested without being named."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from apps.tenants.models import Tenant, User
from apps.tenants.tables import TenantModel

_count = itertools.count(1)

# What a check constraint asks for and a field alone does not tell: the shapes that a row may have, the usual one first.
SHAPES: dict[str, list[dict[str, Any]]] = {
    "catalog.ExternalId": [{"kind": "item", "location": None}, {"kind": "location", "item": None}],
}


def shapes(model: type[TenantModel]) -> list[dict[str, Any]]:
    return SHAPES.get(model._meta.label, [{}])


def make_user(email: str = "", **fields: Any) -> User:
    return User.objects.create_user(email or f"person{next(_count)}@example.test", "a long password", **fields)


def make_tenant_row(**fields: Any) -> Tenant:
    """A tenant alone, without what the apps give a new one."""
    number = next(_count)
    return Tenant.objects.create(**{"slug": f"shop-{number}", "name": f"Shop {number}", **fields})


def make_row(model: type[TenantModel], **fixed: Any) -> Any:
    """A saved row of the tenant in scope, with whatever it refers to made first."""
    usual = shapes(model)[0]
    values = fixed if usual.keys() & fixed.keys() else {**usual, **fixed}  # who fixes part of a shape has chosen one
    for field in model._meta.local_fields:
        if field.name in values or field.attname in values or field.primary_key or field.name == "tenant":
            continue
        values[field.name] = value_for(field)
    return model._default_manager.create(**values)


def value_for(field: Any) -> Any:
    """A value that a field accepts: its default where it has one, else something plain and new."""
    number = next(_count)
    if isinstance(field, models.ForeignKey):
        if field.related_model is field.model:
            return None
        return make_referred(field.related_model)
    if field.choices and not field.has_default():
        return field.choices[0][0]
    if field.has_default():
        return field.get_default()
    if field.null:
        return None
    makers: list[tuple[type, Any]] = [
        (ArrayField, [1.0]), (models.BooleanField, False), (models.DecimalField, Decimal(1)),
        (models.FloatField, 0.5), (models.IntegerField, number), (models.DateTimeField, timezone.now()),
        (models.DateField, dt.date(2017, 1, 1) + dt.timedelta(days=number)), (models.BinaryField, b"{}"),
        (models.JSONField, {}),
    ]
    for kind, made in makers:
        if isinstance(field, kind):
            return made
    return f"{field.name}-{number}"[: getattr(field, "max_length", None) or 20]


def make_referred(model: Any) -> Any:
    if issubclass(model, TenantModel):
        return make_row(model)
    from apps.jobs.models import Job
    from apps.tenants.scope import current_tenant_id

    assert model is Job, f"{model} is not known to make_row"
    return Job.objects.create(tenant_id=current_tenant_id(), kind="test.kind", queue="light")
