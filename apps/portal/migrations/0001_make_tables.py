"""Make the tables of portal."""

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.contrib.postgres.operations import BtreeGinExtension, TrigramExtension
from django.db import migrations, models

import apps.tenants.tables
from apps.tenants.tables import SecureTable


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('catalog', '0001_make_tables'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        TrigramExtension(),
        BtreeGinExtension(),
        migrations.CreateModel(
            name='ItemSummary',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sku', models.CharField(max_length=120)),
                ('title', models.CharField(max_length=300)),
                ('category', models.CharField(blank=True, max_length=300)),
                ('department', models.CharField(blank=True, max_length=120)),
                ('brand', models.CharField(blank=True, max_length=120)),
                ('supplier_name', models.CharField(blank=True, max_length=160)),
                ('status', models.CharField(max_length=14)),
                ('planning', models.CharField(choices=[('planned', 'planned'), ('on_request', 'order on request'), ('unsold', 'not sold yet')], max_length=12)),
                ('abc', models.CharField(blank=True, max_length=1)),
                ('price', models.DecimalField(decimal_places=4, max_digits=14, null=True)),
                ('unit_cost', models.DecimalField(decimal_places=4, max_digits=14, null=True)),
                ('cost_origin', models.CharField(blank=True, max_length=10)),
                ('on_hand', models.FloatField(null=True)),
                ('on_order', models.FloatField(default=0)),
                ('weekly_units', models.FloatField(default=0)),
                ('units_28d', models.FloatField(default=0)),
                ('revenue_28d', models.FloatField(default=0)),
                ('last_sold_on', models.DateField(null=True)),
                ('days_of_cover', models.FloatField(null=True)),
                ('stockout_on', models.DateField(null=True)),
                ('recommended', models.PositiveIntegerField(default=0)),
                ('money_at_risk', models.FloatField(default=0)),
                ('refreshed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.item')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'indexes': [models.Index(fields=['tenant', '-revenue_28d', 'id'], name='portal_summary_revenue'), models.Index(fields=['tenant', '-money_at_risk', 'id'], name='portal_summary_risk'), models.Index(fields=['tenant', 'days_of_cover', 'id'], name='portal_summary_cover'), models.Index(fields=['tenant', '-units_28d', 'id'], name='portal_summary_units'), models.Index(fields=['tenant', 'title', 'id'], name='portal_summary_title'), models.Index(fields=['tenant', 'sku', 'id'], name='portal_summary_sku'), models.Index(fields=['tenant', 'department', '-revenue_28d'], name='portal_summary_department'), django.contrib.postgres.indexes.GinIndex(models.F('tenant_id'), django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('title'), 'gin_trgm_ops'), name='portal_summary_search')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'item'), name='portal_summary_once')],
            },
        ),
        SecureTable("ItemSummary"),
    ]
