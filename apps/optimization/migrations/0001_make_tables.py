"""Make the tables of optimization."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import apps.tenants.tables
from apps.tenants.tables import SecureTable


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('catalog', '0001_make_tables'),
        ('forecasting', '0001_make_tables'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='Plan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('as_of', models.DateField(verbose_name='as of')),
                ('status', models.CharField(choices=[('optimal', 'optimal'), ('feasible', 'good, not proved optimal'), ('empty', 'nothing to buy'), ('infeasible', 'impossible under its limits')], max_length=12, verbose_name='status')),
                ('binding', models.JSONField(default=list, verbose_name='what binds')),
                ('limits', models.JSONField(default=dict, verbose_name='limits')),
                ('cash_budget', models.DecimalField(decimal_places=2, max_digits=14, null=True, verbose_name='cash for this plan')),
                ('lines', models.PositiveIntegerField(verbose_name='lines')),
                ('money', models.DecimalField(decimal_places=2, max_digits=16, verbose_name='money')),
                ('avoided_lost_sales', models.DecimalField(decimal_places=2, max_digits=16, verbose_name='lost sales avoided')),
                ('changes', models.JSONField(default=dict, verbose_name='what changed')),
                ('inputs_hash', models.CharField(max_length=64)),
                ('seed', models.BigIntegerField()),
                ('is_replay', models.BooleanField(default=False, verbose_name='replayed')),
                ('job_id', models.BigIntegerField(null=True)),
                ('seconds', models.FloatField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('forecast_run', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='forecasting.forecastrun')),
                ('previous', apps.tenants.tables.TenantForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='optimization.plan')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Recommendation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.PositiveIntegerField(verbose_name='quantity')),
                ('unit_cost', models.DecimalField(decimal_places=4, max_digits=14, verbose_name='unit cost')),
                ('price', models.DecimalField(decimal_places=4, max_digits=14, verbose_name='price')),
                ('on_hand', models.FloatField(verbose_name='on hand')),
                ('on_order', models.FloatField(verbose_name='on order')),
                ('mean_demand', models.FloatField(verbose_name='mean demand over the protection period')),
                ('lead_time_days', models.FloatField(verbose_name='lead time, days')),
                ('review_period_days', models.FloatField(verbose_name='ordered every, days')),
                ('days_of_cover', models.FloatField(verbose_name='days of cover')),
                ('stockout_on', models.DateField(null=True, verbose_name='runs out')),
                ('order_by_on', models.DateField(null=True, verbose_name='order by')),
                ('arrives_on', models.DateField(verbose_name='would arrive')),
                ('lost_units_without', models.FloatField(verbose_name='expected lost units without it')),
                ('lost_units_with', models.FloatField(verbose_name='expected lost units with it')),
                ('avoided_lost_sales', models.DecimalField(decimal_places=2, max_digits=14, verbose_name='lost sales avoided')),
                ('net_gain', models.DecimalField(decimal_places=2, max_digits=14, verbose_name='gain')),
                ('waterfall', models.JSONField(default=dict, verbose_name='why this quantity')),
                ('binding', models.CharField(blank=True, max_length=30, verbose_name='what binds')),
                ('assumed', models.JSONField(default=list, verbose_name='assumed')),
                ('simulated', models.JSONField(default=list, verbose_name='simulated')),
                ('change', models.JSONField(default=dict, verbose_name='what changed')),
                ('state', models.CharField(choices=[('open', 'open'), ('approved', 'approved'), ('dismissed', 'dismissed'), ('superseded', 'replaced by a newer plan')], default='open', max_length=12, verbose_name='state')),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.item')),
                ('location', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.location')),
                ('plan', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='optimization.plan')),
                ('supplier', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.supplier')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Decision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('approved', 'approved'), ('edited', 'approved with another quantity'), ('dismissed', 'dismissed')], max_length=10)),
                ('quantity', models.PositiveIntegerField(verbose_name='quantity')),
                ('reason', models.CharField(blank=True, max_length=300, verbose_name='reason')),
                ('decided_by', models.CharField(max_length=160, verbose_name='by')),
                ('purchase_order_id', models.BigIntegerField(null=True)),
                ('decided_on', models.DateField(verbose_name='day')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('recommendation', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='optimization.recommendation')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.AddIndex(
            model_name='plan',
            index=models.Index(fields=['tenant', '-as_of', '-id'], name='optimization_plan_recent'),
        ),
        migrations.AddConstraint(
            model_name='plan',
            constraint=models.UniqueConstraint(fields=('tenant', 'as_of', 'inputs_hash'), name='optimization_plan_once'),
        ),
        migrations.AddIndex(
            model_name='recommendation',
            index=models.Index(fields=['tenant', 'plan', '-net_gain'], name='optimization_rec_worth'),
        ),
        migrations.AddIndex(
            model_name='recommendation',
            index=models.Index(fields=['tenant', 'item', '-plan'], name='optimization_rec_item'),
        ),
        migrations.AddConstraint(
            model_name='recommendation',
            constraint=models.UniqueConstraint(fields=('tenant', 'plan', 'item', 'location'), name='optimization_recommendation_once'),
        ),
        migrations.AddConstraint(
            model_name='decision',
            constraint=models.UniqueConstraint(fields=('tenant', 'recommendation'), name='optimization_decision_once'),
        ),
        SecureTable("Plan"),
        SecureTable("Recommendation"),
        SecureTable("Decision", append_only=True),
    ]
