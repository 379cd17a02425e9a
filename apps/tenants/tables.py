"""What every tenant-owned table is made of: its model base, its manager, its keys and its lock in Postgres."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from apps.tenants.scope import WrongTenant, current_tenant_id

# A sub-select is evaluated once for a statement, not once for each row.
TENANT_SETTING = "(SELECT NULLIF(current_setting('app.tenant_id', true), '')::bigint)"

M = TypeVar("M", bound="TenantModel")


class TenantQuerySet(models.QuerySet[M]):
    """Rows of the tenant in scope; bulk writes refuse another tenant's rows, as single ones do."""

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        rows = list(objs)
        for row in rows:
            row.claim()
        return super().bulk_create(rows, *args, **kwargs)

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], *args: Any, **kwargs: Any) -> int:
        rows = list(objs)
        for row in rows:
            row.claim()
        return super().bulk_update(rows, fields, *args, **kwargs)


MOST_DIGITS = 18  # of an id: bigint holds every number of so many


def is_id(text: str) -> bool:
    """Whether a text that came from outside may be the id of a row."""
    return text.isdecimal() and len(text) <= MOST_DIGITS


class TenantManager(models.Manager[M]):
    """Filters by the tenant in scope and raises NoTenant outside one."""

    use_in_migrations = False

    def get_queryset(self) -> TenantQuerySet[M]:
        return TenantQuerySet(self.model, using=self._db).filter(tenant_id=current_tenant_id())

    def none(self) -> TenantQuerySet[M]:
        """No rows are nobody's: the one thing that may be asked outside a scope, as describing an API does."""
        return TenantQuerySet(self.model, using=self._db).none()


class TenantModel(models.Model):
    """A row that belongs to one tenant. Secure its table with SecureTable in the migration that makes it."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, db_index=False, db_constraint=False,
                               editable=False, related_name="+")

    objects: ClassVar[TenantManager[Any]] = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
        default_manager_name = "objects"

    def claim(self) -> None:
        """Put the row under the tenant in scope; WrongTenant if it already belongs to another."""
        tenant_id = current_tenant_id()
        if self.tenant_id is None:
            self.tenant_id = tenant_id
        elif self.tenant_id != tenant_id:
            raise WrongTenant(f"{type(self).__name__} {self.pk} belongs to another tenant.")

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.claim()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self.claim()
        return super().delete(*args, **kwargs)


class TenantForeignKey(models.ForeignKey):  # type: ignore[type-arg]
    """A reference between two rows of one tenant.

    Django's own constraint on the id alone could point into another tenant's row, so it is left out; SecureTable
    adds the composite one, (tenant_id, <name>_id) -> (tenant_id, id). Indexes are declared in Meta, tenant first.
    """

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **kwargs: Any) -> None:
        kwargs["db_constraint"] = False
        kwargs["db_index"] = False
        kwargs.setdefault("related_name", "+")
        super().__init__(to, on_delete, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["db_constraint"], kwargs["db_index"]
        return name, path, args, kwargs


def app_role() -> str:
    """The role that the application connects as: it owns nothing and cannot bypass row-level security."""
    return str(settings.DATABASES["default"]["USER"])


class SecureTable(Operation):
    """Give a tenant table its keys and its lock: the one migration operation that every tenant table needs.

    - the physical primary key becomes (tenant_id, id);
    - every reference to another tenant table gets the composite key (tenant_id, <name>_id);
    - a table that refers to no other tenant table refers to its tenant;
    - row-level security is enabled and forced, with one policy;
    - the application's role may read and write; with append_only, read and insert only.

    Put it after the CreateModel, in the same migration. Use SecureReference for a reference added later.
    """

    reduces_to_sql = True
    reversible = True
    atomic = True

    def __init__(self, model_name: str, *, append_only: bool = False) -> None:
        self.model_name = model_name
        self.append_only = append_only

    def deconstruct(self) -> Any:
        return type(self).__name__, [self.model_name], {"append_only": True} if self.append_only else {}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Changes nothing that Django's state knows of."""

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState,
                          to_state: ProjectState) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        table, quote = model._meta.db_table, schema_editor.quote_name
        name, role = quote(table), quote(app_role())
        schema_editor.execute(f"ALTER TABLE {name} DROP CONSTRAINT {quote(table + '_pkey')}")
        schema_editor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (tenant_id, id)")
        references = tenant_references(model)
        for field in references:
            schema_editor.execute(composite_key(schema_editor, model, field))
        if not references:
            schema_editor.execute(
                f"ALTER TABLE {name} ADD CONSTRAINT {quote(table[:50] + '_tenant_fk')} "
                f"FOREIGN KEY (tenant_id) REFERENCES tenants_tenant (id)")
        schema_editor.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        schema_editor.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        schema_editor.execute(f"CREATE POLICY tenant_isolation ON {name} "
                              f"USING (tenant_id = {TENANT_SETTING}) WITH CHECK (tenant_id = {TENANT_SETTING})")
        verbs = "SELECT, INSERT" if self.append_only else "SELECT, INSERT, UPDATE, DELETE"
        schema_editor.execute(f"REVOKE ALL ON {name} FROM {role}")
        schema_editor.execute(f"GRANT {verbs} ON {name} TO {role}")

    def database_backwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState,
                           to_state: ProjectState) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        table, quote = model._meta.db_table, schema_editor.quote_name
        name = quote(table)
        schema_editor.execute(f"DROP POLICY tenant_isolation ON {name}")
        schema_editor.execute(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")
        schema_editor.execute(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY")
        references = tenant_references(model)
        for field in references:
            schema_editor.execute(f"ALTER TABLE {name} DROP CONSTRAINT {quote(key_name(table, field))}")
        if not references:
            schema_editor.execute(f"ALTER TABLE {name} DROP CONSTRAINT {quote(table[:50] + '_tenant_fk')}")
        schema_editor.execute(f"ALTER TABLE {name} DROP CONSTRAINT {quote(table + '_pkey')}")
        schema_editor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (id)")

    def describe(self) -> str:
        return f"Keys, row-level security and grants of {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"secure_{self.model_name.lower()}"


class SecureReference(Operation):
    """Add the composite key of a TenantForeignKey that joins an already secured table."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, field_name: str) -> None:
        self.model_name = model_name
        self.field_name = field_name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Changes nothing that Django's state knows of."""

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState,
                          to_state: ProjectState) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.field_name)
        schema_editor.execute(composite_key(schema_editor, model, field))

    def database_backwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState,
                           to_state: ProjectState) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.field_name)
        table = schema_editor.quote_name(model._meta.db_table)
        schema_editor.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT {schema_editor.quote_name(key_name(model._meta.db_table, field))}")

    def describe(self) -> str:
        return f"Composite key of {self.model_name}.{self.field_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"secure_{self.model_name.lower()}_{self.field_name}"


class CheckReferencesInSets(Operation):
    """Check a secured table's references once for each statement instead of once for each row.

    For tables that are written by the million: three composite keys were measured to take 31 of the 50 seconds that
    1.3 million ledger lines took to write, this check 3. A trigger looks up all that a statement's rows refer to in one
    query for each reference, under the writer's own row-level security, and locks it as a key would: a row that
    refers to nothing, or to another tenant's row, fails with the same error. What such a table refers to can no longer
    be deleted by the application at all, so that nothing it points at goes away either.
    """

    reduces_to_sql = True
    reversible = True
    atomic = True

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Changes nothing that Django's state knows of."""

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState,
                          to_state: ProjectState) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        table, quote = model._meta.db_table, schema_editor.quote_name
        checks = []
        for field in tenant_references(model):
            target, column = field.related_model._meta.db_table, quote(field.column)
            schema_editor.execute(f"ALTER TABLE {quote(table)} DROP CONSTRAINT {quote(key_name(table, field))}")
            schema_editor.execute(f"REVOKE DELETE ON {quote(target)} FROM {quote(app_role())}")
            # EXECUTE plans for the rows at hand: one row and a million of them want different plans.
            checks.append(f"""
                EXECUTE 'SELECT count(*) FROM (SELECT DISTINCT tenant_id, {column} FROM written
                         WHERE {column} IS NOT NULL) named' INTO named;
                EXECUTE 'SELECT FROM {quote(target)} WHERE (tenant_id, id) IN (SELECT DISTINCT tenant_id, {column}
                         FROM written) FOR KEY SHARE';
                GET DIAGNOSTICS found = ROW_COUNT;
                IF found < named THEN
                    RAISE foreign_key_violation USING TABLE = '{table}', COLUMN = '{field.column}', MESSAGE =
                        format('%s of %s values of {table}.{field.column} are not in {target}', named - found, named);
                END IF;""")
        schema_editor.execute(f"""
            CREATE FUNCTION {quote(check_name(table))}() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE named bigint; found bigint;
            BEGIN {''.join(checks)}
                RETURN NULL;
            END $$""", params=None)
        for verb in ("INSERT", "UPDATE"):
            schema_editor.execute(
                f"CREATE TRIGGER {quote(check_name(table) + '_' + verb.lower())} AFTER {verb} ON {quote(table)} "
                f"REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION {quote(check_name(table))}()")

    def database_backwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState,
                           to_state: ProjectState) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        quote = schema_editor.quote_name
        schema_editor.execute(f"DROP FUNCTION {quote(check_name(model._meta.db_table))}() CASCADE")
        for field in tenant_references(model):
            schema_editor.execute(composite_key(schema_editor, model, field))

    def describe(self) -> str:
        return f"References of {self.model_name}, checked in sets"

    @property
    def migration_name_fragment(self) -> str:
        return f"check_{self.model_name.lower()}_in_sets"


def check_name(table: str) -> str:
    """The name of the function that checks a table's references in sets, and the start of its triggers' names."""
    return f"{table[:40]}_references"


def tenant_references(model: type[models.Model]) -> list[Any]:
    """The foreign keys of a model that point at tenant-owned tables."""
    return [field for field in model._meta.local_fields
            if isinstance(field, models.ForeignKey) and field.name != "tenant"
            and any(other.name == "tenant" for other in field.related_model._meta.local_fields)
            and isinstance(field, TenantForeignKey)]


def key_name(table: str, field: Any) -> str:
    """The name of a composite key, within Postgres' 63 characters."""
    return f"{table[:34]}_{field.column[:20]}_tenant"


def composite_key(schema_editor: BaseDatabaseSchemaEditor, model: Any, field: Any) -> str:
    quote = schema_editor.quote_name
    table, target = model._meta.db_table, field.related_model._meta.db_table
    return (f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(key_name(table, field))} "
            f"FOREIGN KEY (tenant_id, {quote(field.column)}) REFERENCES {quote(target)} (tenant_id, id)")


# Tables outside row-level security, and why. The architecture test reads this list: a table is either secured or here.
OUTSIDE_ROW_SECURITY = {
    "tenants_tenant": "decides whose scope may be entered",
    "tenants_user": "a person may belong to several tenants",
    "tenants_user_groups": "Django's own; operators only",
    "tenants_user_user_permissions": "Django's own; operators only",
    "tenants_membership": "read before a scope is entered, to know which one",
    "tenants_invitation": "read by its token before its reader belongs to the tenant",
    "tenants_apikey": "read by its hash before a scope is entered",
    "tenants_auditentry": "written for operators and tenants alike; the application can only add to it",
    "portal_usage": "counts alone, which operators read of all tenants side by side; no tenant's data is in it",
    "jobs_job": "workers choose among all tenants' jobs; it holds no tenant's data, its record does",
    "account_emailaddress": "a person's, not a tenant's",
    "account_emailconfirmation": "a person's, not a tenant's",
    "auth_group": "Django's own; operators only",
    "auth_group_permissions": "Django's own; operators only",
    "auth_permission": "Django's own; operators only",
    "django_admin_log": "operators' own",
    "django_content_type": "Django's own",
    "django_migrations": "Django's own",
    "django_session": "read before a person is known",
}
