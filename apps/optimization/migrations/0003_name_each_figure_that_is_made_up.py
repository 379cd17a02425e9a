"""Lines of a plan name each figure that was made up; of older ones, "terms" stood for all of them."""

from django.db import migrations

NAMES = '["lead_time_days", "review_period_days", "unit_cost"]'


def name_figures(apps, schema_editor):
    """Row-level security shows a tenant's lines in scope only."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM tenants_tenant ORDER BY id")
        for (tenant_id,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
            cursor.execute("UPDATE optimization_recommendation SET simulated = %s::jsonb || (simulated - 'terms') "
                           "WHERE tenant_id = %s AND simulated @> '[\"terms\"]'", [NAMES, tenant_id])
        cursor.execute("SELECT set_config('app.tenant_id', '', true)")


class Migration(migrations.Migration):

    dependencies = [
        ("optimization", "0002_plan_alike_for_every_tenant"),
    ]

    operations = [
        migrations.RunPython(name_figures, migrations.RunPython.noop),
    ]
