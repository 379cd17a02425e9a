"""Make the tables of feedback."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import apps.tenants.tables
from apps.tenants.tables import SecureTable


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('forecasting', '0001_make_tables'),
        ('optimization', '0001_make_tables'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='ForecastScore',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model', models.CharField(max_length=60)),
                ('is_champion', models.BooleanField(default=False)),
                ('segment_kind', models.CharField(max_length=20)),
                ('segment', models.CharField(max_length=120)),
                ('horizon', models.CharField(max_length=20)),
                ('series', models.PositiveIntegerField()),
                ('actual_units', models.FloatField()),
                ('absolute_error', models.FloatField()),
                ('error', models.FloatField()),
                ('squared_error', models.FloatField()),
                ('pinball', models.FloatField(null=True)),
                ('covered_80', models.FloatField(null=True)),
                ('covered_95', models.FloatField(null=True)),
                ('scored_through', models.DateField()),
                ('run', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='forecasting.forecastrun')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'run', 'model', 'segment_kind', 'segment', 'horizon'), name='feedback_score_once')],
            },
        ),
        migrations.CreateModel(
            name='Judgement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('as_of', models.DateField()),
                ('report', models.JSONField(default=dict)),
                ('seconds', models.FloatField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'as_of'), name='feedback_judgement_once')],
            },
        ),
        migrations.CreateModel(
            name='Outcome',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('judged_through', models.DateField()),
                ('demand_units', models.FloatField()),
                ('served_units', models.FloatField()),
                ('lost_units', models.FloatField()),
                ('days_out', models.PositiveSmallIntegerField()),
                ('closing_units', models.FloatField()),
                ('followed', models.BooleanField()),
                ('decided_quantity', models.FloatField(null=True)),
                ('override_gain', models.DecimalField(decimal_places=2, max_digits=14, null=True)),
                ('recommendation', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='optimization.recommendation')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'recommendation'), name='feedback_outcome_once')],
            },
        ),
        migrations.CreateModel(
            name='Proof',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('as_of', models.DateField()),
                ('report', models.JSONField(default=dict)),
                ('gain', models.DecimalField(decimal_places=2, max_digits=16)),
                ('gain_low', models.DecimalField(decimal_places=2, max_digits=16)),
                ('gain_high', models.DecimalField(decimal_places=2, max_digits=16)),
                ('seconds', models.FloatField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'as_of'), name='feedback_proof_once')],
            },
        ),
        SecureTable("ForecastScore"),
        SecureTable("Outcome"),
        SecureTable("Judgement"),
        SecureTable("Proof"),
    ]
