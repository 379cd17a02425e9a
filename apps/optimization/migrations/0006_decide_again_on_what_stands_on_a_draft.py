"""Let a line be decided on again while it stands on a draft: the last decision is the one that stands.

Going back keeps the last decision on each line of an order, the one that stands; the audit trail names them all.
"""

from django.db import migrations, models


def keep_what_stands(apps, schema_editor):
    """Row-level security shows a tenant's rows in scope only."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM tenants_tenant ORDER BY id")
        for (tenant_id,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
            cursor.execute("""
                DELETE FROM optimization_decision former USING optimization_decision later
                WHERE former.tenant_id = %(tenant)s AND later.tenant_id = %(tenant)s
                  AND later.recommendation_id = former.recommendation_id AND later.id > former.id
                  AND later.purchase_order_id IS NOT DISTINCT FROM former.purchase_order_id""", {"tenant": tenant_id})
        cursor.execute("SELECT set_config('app.tenant_id', '', true)")


class Migration(migrations.Migration):

    dependencies = [
        ('optimization', '0005_decide_again_on_what_was_cancelled'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='decision',
            name='optimization_decision_once',
        ),
        migrations.AddIndex(
            model_name='decision',
            index=models.Index(fields=['tenant', 'recommendation', '-id'], name='optimization_decision_newest'),
        ),
        migrations.RunPython(migrations.RunPython.noop, keep_what_stands),
    ]
