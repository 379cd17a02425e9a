"""Make the tables of forecasting."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import apps.tenants.tables
from apps.tenants.tables import SecureTable


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('catalog', '0001_make_tables'),
        ('registry', '0001_make_tables'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='Backtest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('as_of', models.DateField(verbose_name='as of')),
                ('job_id', models.BigIntegerField(null=True)),
                ('report', models.JSONField(default=dict)),
                ('verdict', models.JSONField(default=dict)),
                ('champion', models.CharField(max_length=60, verbose_name='champion')),
                ('series', models.PositiveIntegerField(verbose_name='series')),
                ('seconds', models.FloatField(verbose_name='seconds')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ForecastRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('as_of', models.DateField(verbose_name='as of')),
                ('model', models.CharField(max_length=60, verbose_name='model')),
                ('days', models.PositiveSmallIntegerField(verbose_name='days, one by one')),
                ('weeks', models.PositiveSmallIntegerField(verbose_name='weeks after them')),
                ('seed', models.BigIntegerField(verbose_name='seed')),
                ('levels', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), help_text='The quantile levels of SeriesForecast.quantiles, in order.', size=None)),
                ('series', models.PositiveIntegerField(verbose_name='series')),
                ('on_request', models.PositiveIntegerField(default=0, verbose_name='too slow to forecast')),
                ('data_fingerprint', models.CharField(max_length=64)),
                ('is_replay', models.BooleanField(default=False, verbose_name='replayed')),
                ('is_complete', models.BooleanField(default=False)),
                ('job_id', models.BigIntegerField(null=True)),
                ('seconds', models.FloatField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('version', apps.tenants.tables.TenantForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.modelversion')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ItemBacktest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('actual', models.FloatField()),
                ('champion_error', models.FloatField()),
                ('baseline_error', models.FloatField()),
                ('covered_80', models.FloatField(null=True)),
                ('backtest', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='forecasting.backtest')),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.item')),
                ('location', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.location')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='SeriesForecast',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mean', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                ('quantiles', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                ('recipe', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.item')),
                ('location', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.location')),
                ('run', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='forecasting.forecastrun')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.AddIndex(
            model_name='backtest',
            index=models.Index(fields=['tenant', '-as_of', '-id'], name='forecasting_backtest_recent'),
        ),
        migrations.AddIndex(
            model_name='forecastrun',
            index=models.Index(fields=['tenant', '-as_of', '-id'], name='forecasting_run_recent'),
        ),
        migrations.AddConstraint(
            model_name='itembacktest',
            constraint=models.UniqueConstraint(fields=('tenant', 'backtest', 'item', 'location'), name='forecasting_item_backtest_once'),
        ),
        migrations.AddIndex(
            model_name='seriesforecast',
            index=models.Index(fields=['tenant', 'item', '-run'], name='forecasting_series_item'),
        ),
        migrations.AddConstraint(
            model_name='seriesforecast',
            constraint=models.UniqueConstraint(fields=('tenant', 'run', 'item', 'location'), name='forecasting_series_once'),
        ),
        SecureTable("Backtest"),
        SecureTable("ItemBacktest"),
        SecureTable("ForecastRun"),
        SecureTable("SeriesForecast"),
    ]
