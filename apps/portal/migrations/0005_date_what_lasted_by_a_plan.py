"""Date the covers and run-out days that were a plan's by its day: none of today's until they are derived anew."""

from django.db import migrations


def date_figures(apps, schema_editor):
    """What the newest plan holds was reckoned by it. Row-level security shows a tenant's rows in scope only."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM tenants_tenant ORDER BY id")
        for (tenant_id,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
            cursor.execute("""
                UPDATE portal_itemsummary kept SET lasts_from = plan.as_of
                FROM (SELECT id, as_of FROM optimization_plan WHERE tenant_id = %(tenant)s AND NOT is_replay
                      ORDER BY as_of DESC, id DESC LIMIT 1) plan
                WHERE kept.tenant_id = %(tenant)s AND kept.lasts_from IS NULL AND kept.days_of_cover IS NOT NULL
                  AND EXISTS (SELECT FROM optimization_recommendation line WHERE line.tenant_id = %(tenant)s
                              AND line.plan_id = plan.id AND line.item_id = kept.item_id)""", {"tenant": tenant_id})
        cursor.execute("SELECT set_config('app.tenant_id', '', true)")


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0004_give_sums_room'),
        ('optimization', '0005_decide_again_on_what_was_cancelled'),
    ]

    operations = [
        migrations.RunPython(date_figures, migrations.RunPython.noop),
    ]
