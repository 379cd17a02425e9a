"""Make the tables of catalog."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import apps.tenants.tables
from apps.tenants.tables import SecureTable


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(db_index=False, max_length=60, verbose_name='short name')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('kind', models.CharField(choices=[('file', 'file'), ('shopify', 'Shopify'), ('woocommerce', 'WooCommerce'), ('api', 'API')], default='file', max_length=12, verbose_name='kind')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Item',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sku', models.CharField(max_length=120, verbose_name='SKU')),
                ('title', models.CharField(max_length=300, verbose_name='title')),
                ('category', models.CharField(blank=True, help_text='A path: Food > Dairy > Milk', max_length=300, verbose_name='category')),
                ('brand', models.CharField(blank=True, max_length=120, verbose_name='brand')),
                ('unit_of_measure', models.CharField(blank=True, max_length=40, verbose_name='unit')),
                ('unit_cost', models.DecimalField(blank=True, decimal_places=4, max_digits=14, null=True, verbose_name='unit cost')),
                ('cost_origin', models.CharField(choices=[('given', 'given'), ('simulated', 'simulated')], default='given', max_length=10)),
                ('price', models.DecimalField(blank=True, decimal_places=4, max_digits=14, null=True, verbose_name='price')),
                ('status', models.CharField(choices=[('active', 'active'), ('paused', 'paused'), ('discontinued', 'discontinued')], default='active', max_length=14, verbose_name='status')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Location',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=60, verbose_name='code')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('is_active', models.BooleanField(default=True, verbose_name='in use')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ExternalId',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('item', 'item'), ('location', 'location')], max_length=10)),
                ('value', models.CharField(max_length=200)),
                ('channel', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.channel')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('item', apps.tenants.tables.TenantForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.item')),
                ('location', apps.tenants.tables.TenantForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.location')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='PlanningDefaults',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lead_time_days', models.FloatField(default=14, verbose_name='lead time, days')),
                ('lead_time_spread_days', models.FloatField(default=4, verbose_name='lead time spread, days')),
                ('review_period_days', models.PositiveSmallIntegerField(default=7, verbose_name='ordered every, days')),
                ('cost_share', models.FloatField(default=0.6, verbose_name='unit cost as a share of the price')),
                ('holding_cost_rate', models.FloatField(default=0.25, verbose_name='cost of holding stock, share of its value in a year')),
                ('cash_budget', models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True, verbose_name='cash for one plan')),
                ('planned_units_per_week', models.FloatField(default=0.25, verbose_name='planned from this many units a week')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Supplier',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=160, verbose_name='name')),
                ('currency', models.CharField(blank=True, max_length=3, verbose_name='currency')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='e-mail')),
                ('lead_time_days', models.FloatField(blank=True, null=True, verbose_name='lead time, days')),
                ('lead_time_spread_days', models.FloatField(blank=True, null=True, verbose_name='lead time spread, days')),
                ('minimum_order_value', models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True, verbose_name='minimum order value')),
                ('review_period_days', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='ordered every, days')),
                ('origin', models.CharField(choices=[('given', 'given'), ('simulated', 'simulated')], default='given', max_length=10)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='SupplyTerm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lead_time_days', models.FloatField(blank=True, null=True, verbose_name='lead time, days')),
                ('lead_time_spread_days', models.FloatField(blank=True, null=True, verbose_name='lead time spread, days')),
                ('moq', models.PositiveIntegerField(blank=True, null=True, verbose_name='minimum quantity')),
                ('pack_size', models.PositiveIntegerField(blank=True, null=True, verbose_name='pack of')),
                ('unit_cost', models.DecimalField(blank=True, decimal_places=4, max_digits=14, null=True, verbose_name='unit cost')),
                ('is_preferred', models.BooleanField(default=True, verbose_name='preferred')),
                ('origin', models.CharField(choices=[('given', 'given'), ('simulated', 'simulated')], default='given', max_length=10)),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.item')),
                ('supplier', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.supplier')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.AddConstraint(
            model_name='channel',
            constraint=models.UniqueConstraint(fields=('tenant', 'slug'), name='catalog_channel_once'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(fields=['tenant', 'sku'], name='catalog_item_sku'),
        ),
        migrations.AddConstraint(
            model_name='item',
            constraint=models.CheckConstraint(condition=models.Q(('unit_cost', None), ('unit_cost__gte', 0), _connector='OR'), name='catalog_item_cost_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='item',
            constraint=models.CheckConstraint(condition=models.Q(('price', None), ('price__gte', 0), _connector='OR'), name='catalog_item_price_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='location',
            constraint=models.UniqueConstraint(fields=('tenant', 'code'), name='catalog_location_once'),
        ),
        migrations.AddIndex(
            model_name='externalid',
            index=models.Index(fields=['tenant', 'item'], name='catalog_external_item'),
        ),
        migrations.AddConstraint(
            model_name='externalid',
            constraint=models.UniqueConstraint(fields=('tenant', 'channel', 'kind', 'value'), name='catalog_external_once'),
        ),
        migrations.AddConstraint(
            model_name='externalid',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('item__isnull', False), ('kind', 'item'), ('location__isnull', True)), models.Q(('item__isnull', True), ('kind', 'location'), ('location__isnull', False)), _connector='OR'), name='catalog_external_points_at_its_kind'),
        ),
        migrations.AddConstraint(
            model_name='planningdefaults',
            constraint=models.UniqueConstraint(fields=('tenant',), name='catalog_defaults_once'),
        ),
        migrations.AddConstraint(
            model_name='planningdefaults',
            constraint=models.CheckConstraint(condition=models.Q(('cost_share__gt', 0), ('cost_share__lt', 1)), name='catalog_defaults_cost_share'),
        ),
        migrations.AddConstraint(
            model_name='planningdefaults',
            constraint=models.CheckConstraint(condition=models.Q(('holding_cost_rate__gte', 0), ('lead_time_days__gte', 0), ('lead_time_spread_days__gte', 0), ('planned_units_per_week__gte', 0), ('review_period_days__gte', 1)), name='catalog_defaults_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='supplier',
            constraint=models.UniqueConstraint(fields=('tenant', 'name'), name='catalog_supplier_once'),
        ),
        migrations.AddIndex(
            model_name='supplyterm',
            index=models.Index(fields=['tenant', 'supplier'], name='catalog_term_supplier'),
        ),
        migrations.AddConstraint(
            model_name='supplyterm',
            constraint=models.UniqueConstraint(fields=('tenant', 'item', 'supplier'), name='catalog_term_once'),
        ),
        migrations.AddConstraint(
            model_name='supplyterm',
            constraint=models.UniqueConstraint(condition=models.Q(('is_preferred', True)), fields=('tenant', 'item'), name='catalog_term_one_preferred'),
        ),
        migrations.AddConstraint(
            model_name='supplyterm',
            constraint=models.CheckConstraint(condition=models.Q(('pack_size', None), ('pack_size__gte', 1), _connector='OR'), name='catalog_term_pack_at_least_one'),
        ),
        SecureTable("Channel"),
        SecureTable("Location"),
        SecureTable("Item"),
        SecureTable("ExternalId"),
        SecureTable("Supplier"),
        SecureTable("SupplyTerm"),
        SecureTable("PlanningDefaults"),
    ]
