"""Every tenant table carries both locks; read from Postgres' own catalog, so that no table can be forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

from apps.tenants.tables import (
    OUTSIDE_ROW_SECURITY,
    TenantForeignKey,
    TenantManager,
    TenantModel,
    app_role,
    tenant_references,
)

pytestmark = pytest.mark.django_db


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def tables() -> set[str]:
    return {str(name) for (name,) in rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')")}


def secured_tables() -> set[str]:
    return tables() - set(OUTSIDE_ROW_SECURITY)


def tenant_models() -> list[type[TenantModel]]:
    return [model for model in apps.get_models() if issubclass(model, TenantModel)]


def test_a_table_is_secured_or_stands_in_the_reasoned_list() -> None:
    assert set(OUTSIDE_ROW_SECURITY) <= tables()
    assert secured_tables() == {model._meta.db_table for model in tenant_models()}


def test_row_level_security_is_enabled_and_forced_with_one_policy_that_covers_reading_and_writing() -> None:
    found = rows("""
        SELECT relname, relrowsecurity, relforcerowsecurity, array_agg(polname::text), array_agg(polcmd::text),
               array_agg(polpermissive), array_agg(pg_get_expr(polqual, polrelid)),
               array_agg(pg_get_expr(polwithcheck, polrelid))
        FROM pg_class LEFT JOIN pg_policy ON polrelid = pg_class.oid
        WHERE relname = ANY(%s) AND relnamespace = 'public'::regnamespace GROUP BY 1, 2, 3""", sorted(secured_tables()))
    assert {row[0] for row in found} == secured_tables()
    for name, enabled, forced, policies, commands, permissive, using, check in found:
        assert enabled and forced, name
        assert (policies, commands, permissive) == (["tenant_isolation"], ["*"], [True]), name
        for expression in (*using, *check):
            assert "NULLIF(current_setting('app.tenant_id'::text, true), ''::text)" in str(expression), name
            assert str(expression).startswith("(tenant_id = "), name


def test_the_primary_key_and_every_unique_index_start_with_the_tenant() -> None:
    found = rows("""
        SELECT relname, indisprimary,
               array(SELECT attname::text FROM unnest(indkey::int2[]) WITH ORDINALITY AS k(n, place)
                     JOIN pg_attribute ON attrelid = indrelid AND attnum = k.n ORDER BY place)
        FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
        WHERE relname = ANY(%s) AND (indisunique OR indisprimary)""", sorted(secured_tables()))
    assert {name for name, primary, _ in found if primary} == secured_tables()
    for name, primary, columns in found:
        assert columns[0] == "tenant_id", (name, columns)
        assert not primary or columns == ["tenant_id", "id"], (name, columns)


def test_every_index_of_a_tenant_table_starts_with_the_tenant() -> None:
    found = rows("""
        SELECT relname, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
        WHERE relname = ANY(%s)""", sorted(secured_tables()))
    for name, definition in found:
        assert "(tenant_id" in str(definition), (name, definition)


def test_every_reference_between_tenant_tables_is_composite_and_every_table_is_tied_to_its_tenant() -> None:
    found = rows("""
        SELECT child.relname, parent.relname,
               array(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS k(n, place)
                     JOIN pg_attribute ON attrelid = conrelid AND attnum = k.n ORDER BY place)
        FROM pg_constraint JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid
        WHERE contype = 'f' AND child.relname = ANY(%s)""", sorted(secured_tables()))
    keys = {(str(child), tuple(columns)) for child, _, columns in found} | keys_checked_in_sets()
    for child, parent, columns in found:
        if parent != "tenants_tenant":
            assert columns[0] == "tenant_id" and len(columns) == 2, (child, parent, columns)
    for model in tenant_models():
        table = model._meta.db_table
        assert any(child == table for child, _ in keys), f"{table} is tied to nothing"
        for field in model._meta.local_fields:
            if isinstance(field, models.ForeignKey) and field.name != "tenant":
                assert isinstance(field, TenantForeignKey), f"{table}.{field.name}"
                assert (table, ("tenant_id", field.column)) in keys, f"{table}.{field.column} has no composite key"


def keys_checked_in_sets() -> set[tuple[str, tuple[str, ...]]]:
    """References without a key of their own, of tables whose triggers check them on every insert and update.

    That the check refuses what a key would refuse is proved reference by reference, like any key's, in
    tests/integration/tenants/test_two_locks.py.
    """
    found = rows("""
        SELECT relname, array_agg(tgtype & 28 ORDER BY tgtype), bool_and(tgenabled = 'O'),
               bool_and(tgnewtable = 'written')
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE proname = relname || '_references' AND NOT tgisinternal GROUP BY 1""")
    for name, events, enabled, sees_rows in found:
        assert events == [4, 16], f"{name}: INSERT is 4 and UPDATE 16 in pg_trigger.tgtype"
        assert enabled and sees_rows, name
    checked = {str(row[0]) for row in found}
    return {(model._meta.db_table, ("tenant_id", field.column)) for model in tenant_models()
            if model._meta.db_table in checked for field in tenant_references(model)}


def test_what_is_referred_to_by_a_check_in_sets_cannot_be_deleted() -> None:
    checked = {table for table, _ in keys_checked_in_sets()}
    assert checked == {"sales_saleline", "sales_dailydemand"}
    targets = {field.related_model._meta.db_table for model in tenant_models() if model._meta.db_table in checked
               for field in tenant_references(model)}
    deletable = {name for (name,) in rows("SELECT table_name FROM information_schema.role_table_grants "
                                          "WHERE grantee = %s AND privilege_type = 'DELETE'", app_role())}
    assert targets == {"catalog_channel", "catalog_item", "catalog_location"}
    assert not targets & deletable


def test_the_applications_role_owns_nothing_and_cannot_step_around() -> None:
    [(superuser, bypasses, creates_roles)] = rows(
        "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = %s", app_role())
    assert not superuser and not bypasses and not creates_roles
    assert rows("SELECT relname FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner WHERE rolname = %s",
                app_role()) == []
    assert rows("SELECT current_user") == [(app_role(),)]
    assert rows("SELECT relname FROM pg_class WHERE relkind = 'm'") == []
    granted = rows("SELECT table_name, privilege_type FROM information_schema.role_table_grants "
                   "WHERE grantee = %s AND privilege_type IN ('TRUNCATE', 'TRIGGER', 'REFERENCES')", app_role())
    assert granted == []


def test_the_ledgers_and_the_audit_trail_can_only_grow() -> None:
    granted = rows("SELECT table_name FROM information_schema.role_table_grants "
                   "WHERE grantee = %s AND privilege_type IN ('UPDATE', 'DELETE')", app_role())
    changeable = {name for (name,) in granted}
    ledgers = {"sales_saleline", "inventory_stockmovement", "inventory_receipt", "optimization_decision",
               "registry_aliaschange", "tenants_auditentry"}
    assert ledgers & changeable == set()
    assert ledgers <= tables()


def test_every_manager_of_a_tenant_model_filters_the_base_manager_included() -> None:
    for model in tenant_models():
        for manager in (model._base_manager, model._default_manager, *model._meta.managers):
            assert isinstance(manager, TenantManager), model
