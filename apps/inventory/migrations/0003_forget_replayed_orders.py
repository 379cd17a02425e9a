"""Drop the mark of replayed orders: a replay writes none."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0002_plan_alike_for_every_tenant'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='purchaseorder',
            name='is_replay',
        ),
    ]
