"""A term keeps which of its values were made up, so that saying one of them does not clear the others' mark."""

import django.contrib.postgres.fields
from django.db import migrations, models

NAMES = ("lead_time_days", "lead_time_spread_days", "moq", "pack_size", "unit_cost")


def of_each_tenant(schema_editor, statement):
    """Row-level security shows a tenant's rows in scope only."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM tenants_tenant ORDER BY id")
        for (tenant_id,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
            cursor.execute(statement, [tenant_id])
        cursor.execute("SELECT set_config('app.tenant_id', '', true)")


def mark_values(apps, schema_editor):
    """Of a term that was made up as a whole, every value is."""
    said = ", ".join(f"CASE WHEN {name} IS NOT NULL THEN '{name}' END" for name in NAMES)
    of_each_tenant(schema_editor, f"UPDATE catalog_supplyterm SET simulated = array_remove(ARRAY[{said}], NULL) "
                                  "WHERE tenant_id = %s AND origin = 'simulated'")


def mark_whole(apps, schema_editor):
    """Going back, a term of which any value is made up is made up as a whole."""
    of_each_tenant(schema_editor, "UPDATE catalog_supplyterm SET origin = 'simulated' "
                                  "WHERE tenant_id = %s AND simulated <> '{}'")


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0003_drop_locations_in_use'),
    ]

    operations = [
        migrations.AddField(
            model_name='supplyterm',
            name='simulated',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=30), blank=True, default=list, size=None),
        ),
        migrations.RunPython(mark_values, mark_whole),
        migrations.RemoveField(
            model_name='supplyterm',
            name='origin',
        ),
    ]
