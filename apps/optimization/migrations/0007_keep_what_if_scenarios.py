"""Keep what people asked "what if" of a plan, and what would be ordered then, item by item."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import apps.tenants.tables
from apps.tenants.tables import SecureTable


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0005_keep_which_of_a_suppliers_terms_are_made_up'),
        ('optimization', '0006_decide_again_on_what_stands_on_a_draft'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='Scenario',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('changes', models.JSONField(default=dict, verbose_name='what changes')),
                ('named', models.JSONField(default=dict)),
                ('before', models.JSONField(default=dict)),
                ('after', models.JSONField(default=dict)),
                ('is_as_planned', models.BooleanField(default=True)),
                ('planned_at', models.DateTimeField(null=True, verbose_name='reckoned')),
                ('job_id', models.BigIntegerField(null=True)),
                ('made_by', models.CharField(max_length=160, verbose_name='by')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('plan', apps.tenants.tables.TenantForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='optimization.plan')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ScenarioLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity_before', models.PositiveIntegerField(verbose_name='quantity before')),
                ('quantity_after', models.PositiveIntegerField(verbose_name='quantity after')),
                ('cost_before', models.DecimalField(decimal_places=4, max_digits=14, verbose_name='unit cost before')),
                ('cost_after', models.DecimalField(decimal_places=4, max_digits=14, verbose_name='unit cost after')),
                ('lost_before', models.FloatField(verbose_name='expected lost units before')),
                ('lost_after', models.FloatField(verbose_name='expected lost units after')),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.item')),
                ('location', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.location')),
                ('scenario', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='optimization.scenario')),
                ('supplier', apps.tenants.tables.TenantForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.supplier')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.AddIndex(
            model_name='scenario',
            index=models.Index(fields=['tenant', '-id'], name='optimization_scenario_recent'),
        ),
        migrations.AddConstraint(
            model_name='scenarioline',
            constraint=models.UniqueConstraint(fields=('tenant', 'scenario', 'item', 'location'), name='optimization_scenario_line_once'),
        ),
        SecureTable("Scenario"),
        SecureTable("ScenarioLine"),
    ]
