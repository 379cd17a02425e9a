"""Keep what searches for better settings of the trained model came to: contests train it with what the newest kept."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from apps.tenants.tables import SecureTable


class Migration(migrations.Migration):

    dependencies = [
        ('forecasting', '0008_keep_what_kinds_will_sell'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='Tuning',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('as_of', models.DateField(verbose_name='as of')),
                ('model', models.CharField(max_length=60, verbose_name='model')),
                ('outcome', models.CharField(choices=[('kept', 'better settings found'), ('none_better', 'nothing better found'), ('not_proved', 'not better later on'), ('out_of_time', 'out of time')], max_length=20, verbose_name='outcome')),
                ('parameters', models.JSONField(default=dict, verbose_name='settings')),
                ('report', models.JSONField(default=dict)),
                ('job_id', models.BigIntegerField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'indexes': [models.Index(fields=['tenant', 'model', '-as_of', '-id'], name='forecasting_tuning_recent')],
            },
        ),
        SecureTable('Tuning'),
    ]
