"""Keep what each kind of item and the whole shop are forecast to sell."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import apps.tenants.tables
from apps.tenants.tables import SecureTable


class Migration(migrations.Migration):

    dependencies = [
        ('forecasting', '0007_keep_what_orders_tell'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='KindForecast',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('level', models.PositiveSmallIntegerField(choices=[(1, 'the whole shop'), (2, 'department'), (3, 'category')], verbose_name='level')),
                ('name', models.CharField(blank=True, max_length=300, verbose_name='name')),
                ('items', models.PositiveIntegerField(verbose_name='items')),
                ('past', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), default=list, size=None)),
                ('mean', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), default=list, size=None)),
                ('low', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), default=list, size=None)),
                ('high', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), default=list, size=None)),
                ('units', models.FloatField(verbose_name='units')),
                ('units_low', models.FloatField(verbose_name='at least')),
                ('units_high', models.FloatField(verbose_name='at most')),
                ('money', models.FloatField(null=True, verbose_name='money')),
                ('run', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='forecasting.forecastrun')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'run', 'level', 'name'), name='forecasting_kind_once')],
            },
        ),
        SecureTable('KindForecast'),
    ]
