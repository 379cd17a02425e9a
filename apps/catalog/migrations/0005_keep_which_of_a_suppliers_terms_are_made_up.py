"""A supplier keeps which of its terms were made up, so that saying one of them does not clear the others' mark."""

import django.contrib.postgres.fields
from django.db import migrations, models

NAMES = ("lead_time_days", "lead_time_spread_days", "minimum_order_value", "review_period_days")


def of_each_tenant(schema_editor, statement):
    """Row-level security shows a tenant's rows in scope only."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM tenants_tenant ORDER BY id")
        for (tenant_id,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
            cursor.execute(statement, [tenant_id])
        cursor.execute("SELECT set_config('app.tenant_id', '', true)")


def mark_values(apps, schema_editor):
    """Of a supplier that was made up as a whole, every term is."""
    said = ", ".join(f"CASE WHEN {name} IS NOT NULL THEN '{name}' END" for name in NAMES)
    of_each_tenant(schema_editor, f"UPDATE catalog_supplier SET simulated = array_remove(ARRAY[{said}], NULL) "
                                  "WHERE tenant_id = %s AND origin = 'simulated'")


def mark_whole(apps, schema_editor):
    """Going back, a supplier of which any value is made up is made up as a whole."""
    of_each_tenant(schema_editor, "UPDATE catalog_supplier SET origin = 'simulated' "
                                  "WHERE tenant_id = %s AND simulated <> '{}'")


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0004_keep_what_is_made_up_value_by_value'),
    ]

    operations = [
        migrations.AddField(
            model_name='supplier',
            name='simulated',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=30), blank=True, default=list, size=None),
        ),
        migrations.RunPython(mark_values, mark_whole),
        migrations.RemoveField(
            model_name='supplier',
            name='origin',
        ),
    ]
