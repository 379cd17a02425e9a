"""A receipt names its delivery note apart from what it counts once by; an order line says why it was changed."""

from django.db import migrations, models


def name_notes(apps, schema_editor):
    """Until now a reference was the note, unless it began with a form's own mark. The ledger is mended in scope."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM tenants_tenant ORDER BY id")
        for (tenant_id,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
            cursor.execute("UPDATE inventory_receipt SET delivery_note = reference "
                           "WHERE tenant_id = %s AND reference NOT LIKE %s", [tenant_id, "form %"])
        cursor.execute("SELECT set_config('app.tenant_id', '', true)")


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0003_forget_replayed_orders'),
    ]

    operations = [
        migrations.AddField(
            model_name='purchaseorderline',
            name='note',
            field=models.CharField(blank=True, max_length=600, verbose_name='note'),
        ),
        migrations.AddField(
            model_name='receipt',
            name='delivery_note',
            field=models.CharField(blank=True, max_length=80, verbose_name='delivery note'),
        ),
        migrations.RunPython(name_notes, migrations.RunPython.noop),
    ]
