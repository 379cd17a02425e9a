"""An outsider gets nothing: by the managers where row security is off, by Postgres where managers are bypassed."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, ProgrammingError, connection, models, transaction

from apps.tenants.models import Tenant
from apps.tenants.scope import NoTenant, WrongTenant, current_tenant_id, outside_scope, tenant_context
from apps.tenants.tables import TenantModel
from tests.rows import make_referred, make_row, make_tenant_row, shapes

TENANT_MODELS = [model for model in apps.get_models() if issubclass(model, TenantModel)]
every_table = pytest.mark.parametrize("model", TENANT_MODELS, ids=lambda model: model._meta.label)


@contextlib.contextmanager
def refused(*errors: type[Exception]) -> Generator[None]:
    """The block raises, and the transaction around it goes on."""
    with pytest.raises(errors), transaction.atomic():
        yield


def outsider_and_row(model: type[TenantModel]) -> tuple[Tenant, Any]:
    insider, outsider = make_tenant_row(), make_tenant_row()
    with tenant_context(insider.pk):
        row = make_row(model)
    return outsider, row


@every_table
def test_with_row_security_off_the_managers_give_an_outsider_nothing(model: type[TenantModel],
                                                                    row_security_off: None) -> None:
    outsider, row = outsider_and_row(model)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {model._meta.db_table} WHERE id = %s", [row.pk])
        assert cursor.fetchone() == (1,), "the row is there for a role that row-level security lets past"
    with tenant_context(outsider.pk):
        for manager in (model._default_manager, model._base_manager):
            assert not manager.filter(pk=row.pk).exists()
            with contextlib.suppress(ProgrammingError), transaction.atomic():  # a ledger refuses the verb itself
                assert manager.filter(pk=row.pk).delete()[0] == 0
                assert manager.filter(pk=row.pk).update(tenant_id=outsider.pk) == 0
        for act in (row.save, row.delete):
            with refused(WrongTenant):
                act()
        with refused(model.DoesNotExist):
            row.refresh_from_db()
        with refused(WrongTenant):
            model._default_manager.bulk_create([row])


@every_table
def test_with_the_managers_bypassed_row_security_gives_an_outsider_nothing(model: type[TenantModel], db: None) -> None:
    outsider, row = outsider_and_row(model)
    table = model._meta.db_table
    bare: models.QuerySet[Any] = models.QuerySet(model)
    with tenant_context(outsider.pk), connection.cursor() as cursor:
        assert not bare.filter(pk=row.pk).exists()
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (bare.count(),)
        for change in (f"UPDATE {table} SET id = id WHERE id = %s", f"DELETE FROM {table} WHERE id = %s"):
            with contextlib.suppress(ProgrammingError), transaction.atomic():  # a ledger refuses the verb itself
                cursor.execute(change, [row.pk])
                assert cursor.rowcount == 0
        columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in model._meta.local_fields)
        values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in model._meta.local_fields]
        with refused(ProgrammingError):
            cursor.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(['%s'] * len(values))})", values)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (0,), "no tenant set, no rows"


@every_table
def test_outside_a_scope_nothing_is_even_asked(model: type[TenantModel], db: None) -> None:
    with pytest.raises(NoTenant):
        model._default_manager.count()
    with pytest.raises(NoTenant):
        model._base_manager.count()
    with pytest.raises(NoTenant):
        model().save()


@every_table
def test_a_row_cannot_refer_to_another_tenants_row(model: type[TenantModel], db: None) -> None:
    for shape in shapes(model):
        for field in references(model, shape):
            insider, outsider = make_tenant_row(), make_tenant_row()
            with tenant_context(insider.pk):
                theirs = make_referred(field.related_model).pk
            with tenant_context(outsider.pk):
                with refused(IntegrityError):
                    make_row(model, **shape, **{field.attname: theirs})
                own = make_row(model, **shape, **{field.name: make_referred(field.related_model)})
                with refused(IntegrityError, ProgrammingError):  # a ledger refuses the verb itself
                    model._default_manager.filter(pk=own.pk).update(**{field.attname: theirs})
                    connection.check_constraints()


def references(model: type[TenantModel], shape: dict[str, Any]) -> list[Any]:
    """The references of a row of this shape, but for those to a row of its own table."""
    return [field for field in model._meta.local_fields if isinstance(field, models.ForeignKey)
            and field.name not in {"tenant", *shape} and field.related_model is not model]


@pytest.mark.django_db
class TestScope:
    """The block of work in which one tenant's data is there, and no other's."""

    def test_the_same_tenant_nests_and_another_raises(self) -> None:
        one, other = make_tenant_row(), make_tenant_row()
        with tenant_context(one.pk):
            with tenant_context(one.pk):
                assert current_tenant_id() == one.pk
            with pytest.raises(WrongTenant), tenant_context(other.pk):
                pass
            assert setting() == str(one.pk)
        with pytest.raises(NoTenant):
            current_tenant_id()

    def test_the_setting_does_not_outlive_its_block_even_inside_a_callers_transaction(self) -> None:
        one, other = make_tenant_row(), make_tenant_row()
        with transaction.atomic():
            with tenant_context(one.pk):
                assert setting() == str(one.pk)
            assert not setting()
            with pytest.raises(RuntimeError, match="stop"), tenant_context(one.pk):
                raise RuntimeError("stop")
            assert not setting()
            with pytest.raises(ProgrammingError), tenant_context(one.pk), connection.cursor() as cursor:
                cursor.execute("SELECT nonsense")
            assert not setting()
            with tenant_context(other.pk):
                assert setting() == str(other.pk)

    def test_a_block_outside_the_scope_sees_nothing_may_enter_another_and_the_scope_goes_on_after_it(self) -> None:
        one, other = make_tenant_row(), make_tenant_row()
        with tenant_context(one.pk):
            with outside_scope():
                assert not setting()
                with pytest.raises(NoTenant):
                    current_tenant_id()
                with tenant_context(other.pk):
                    assert setting() == str(other.pk)
            assert (current_tenant_id(), setting()) == (one.pk, str(one.pk))
            with pytest.raises(RuntimeError, match="stop"), outside_scope():
                raise RuntimeError("stop")
            assert (current_tenant_id(), setting()) == (one.pk, str(one.pk))
            with pytest.raises(ProgrammingError), outside_scope(), connection.cursor() as cursor:
                cursor.execute("SELECT nonsense")
            assert (current_tenant_id(), setting()) == (one.pk, str(one.pk))

    def test_an_exception_rolls_the_block_back(self) -> None:
        tenant = make_tenant_row()
        model = apps.get_model("catalog", "Location")
        with pytest.raises(RuntimeError, match="stop"), tenant_context(tenant.pk):
            model.objects.create(code="a", name="A")
            raise RuntimeError("stop")
        with tenant_context(tenant.pk):
            assert model.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_after_the_block_the_connection_belongs_to_nobody() -> None:
    tenant = make_tenant_row()
    with tenant_context(tenant.pk):
        make_row(apps.get_model("catalog", "Item"))
    assert not setting()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM catalog_item")
        assert cursor.fetchone() == (0,)


def setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.tenant_id', true)")
        [(value,)] = cursor.fetchall()
    return str(value or "")
