"""Keep counts of what each tenant holds, for operators."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0001_make_tables'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='Usage',
            fields=[
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='tenants.tenant')),
                ('items', models.PositiveIntegerField(default=0, verbose_name='items')),
                ('planned_items', models.PositiveIntegerField(default=0, verbose_name='planned items')),
                ('order_lines', models.PositiveBigIntegerField(default=0, verbose_name='order lines')),
                ('stored_bytes', models.PositiveBigIntegerField(default=0, verbose_name='bytes of files')),
                ('refreshed_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='counted')),
            ],
            options={
                'verbose_name': 'usage',
                'verbose_name_plural': 'usage',
            },
        ),
    ]
