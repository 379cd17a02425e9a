"""Make the tables of inventory."""

import django.db.models.deletion
import django.utils.timezone
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
        migrations.CreateModel(
            name='PurchaseOrder',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=30, verbose_name='number')),
                ('status', models.CharField(choices=[('draft', 'draft'), ('approved', 'approved'), ('sent', 'sent'), ('partly_received', 'partly received'), ('received', 'received'), ('cancelled', 'cancelled')], default='draft', max_length=16, verbose_name='status')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('ordered_on', models.DateField(null=True, verbose_name='ordered')),
                ('expected_on', models.DateField(null=True, verbose_name='expected')),
                ('plan_id', models.BigIntegerField(null=True)),
                ('is_replay', models.BooleanField(default=False, verbose_name='replayed')),
                ('note', models.TextField(blank=True, verbose_name='note')),
                ('created_by', models.CharField(blank=True, max_length=160, verbose_name='by')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='made')),
                ('approved_at', models.DateTimeField(null=True, verbose_name='approved')),
                ('sent_at', models.DateTimeField(null=True, verbose_name='sent')),
                ('closed_at', models.DateTimeField(null=True, verbose_name='closed')),
                ('location', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.location')),
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
            name='PurchaseOrderLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.DecimalField(decimal_places=3, max_digits=14, verbose_name='quantity')),
                ('received_quantity', models.DecimalField(decimal_places=3, default=0, max_digits=14, verbose_name='received')),
                ('unit_cost', models.DecimalField(decimal_places=4, max_digits=14, verbose_name='unit cost')),
                ('expected_on', models.DateField(verbose_name='expected')),
                ('recommendation_id', models.BigIntegerField(null=True)),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.item')),
                ('order', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='inventory.purchaseorder')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Receipt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.DecimalField(decimal_places=3, max_digits=14, verbose_name='quantity')),
                ('received_on', models.DateField(verbose_name='day')),
                ('reference', models.CharField(max_length=80)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('line', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='inventory.purchaseorderline')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='StockLevel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('on_hand', models.DecimalField(decimal_places=3, default=0, max_digits=14, verbose_name='on hand')),
                ('mode', models.CharField(choices=[('counted', 'reported by counts'), ('derived', 'derived from sales')], default='derived', max_length=10)),
                ('counted_at', models.DateTimeField(null=True, verbose_name='counted')),
                ('origin', models.CharField(default='given', max_length=10)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
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
            name='StockMovement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('count', 'count'), ('sale', 'sales of a day'), ('receipt', 'receipt'), ('adjustment', 'adjustment')], max_length=12, verbose_name='kind')),
                ('occurred_on', models.DateField(verbose_name='day')),
                ('quantity', models.DecimalField(decimal_places=3, max_digits=14, verbose_name='quantity')),
                ('wanted', models.DecimalField(decimal_places=3, help_text='Demand of the day where stock could not serve all of it', max_digits=14, null=True, verbose_name='wanted')),
                ('reference', models.CharField(max_length=80, verbose_name='cause')),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
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
        migrations.AddIndex(
            model_name='purchaseorder',
            index=models.Index(fields=['tenant', 'status', '-id'], name='inventory_order_status'),
        ),
        migrations.AddConstraint(
            model_name='purchaseorder',
            constraint=models.UniqueConstraint(fields=('tenant', 'number'), name='inventory_order_number_once'),
        ),
        migrations.AddIndex(
            model_name='purchaseorderline',
            index=models.Index(fields=['tenant', 'item', 'expected_on'], name='inventory_line_item_expected'),
        ),
        migrations.AddConstraint(
            model_name='purchaseorderline',
            constraint=models.UniqueConstraint(fields=('tenant', 'order', 'item'), name='inventory_order_item_once'),
        ),
        migrations.AddConstraint(
            model_name='purchaseorderline',
            constraint=models.UniqueConstraint(condition=models.Q(('recommendation_id__isnull', False)), fields=('tenant', 'recommendation_id'), name='inventory_line_recommendation_once'),
        ),
        migrations.AddConstraint(
            model_name='purchaseorderline',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0)), name='inventory_line_quantity_positive'),
        ),
        migrations.AddConstraint(
            model_name='purchaseorderline',
            constraint=models.CheckConstraint(condition=models.Q(('received_quantity__gte', 0)), name='inventory_line_received_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='receipt',
            constraint=models.UniqueConstraint(fields=('tenant', 'line', 'reference'), name='inventory_receipt_once'),
        ),
        migrations.AddConstraint(
            model_name='receipt',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0)), name='inventory_receipt_positive'),
        ),
        migrations.AddConstraint(
            model_name='stocklevel',
            constraint=models.UniqueConstraint(fields=('tenant', 'item', 'location'), name='inventory_level_once'),
        ),
        migrations.AddIndex(
            model_name='stockmovement',
            index=models.Index(fields=['tenant', 'item', 'occurred_on'], name='inventory_movement_item_day'),
        ),
        migrations.AddIndex(
            model_name='stockmovement',
            index=models.Index(fields=['tenant', 'occurred_on'], name='inventory_movement_day'),
        ),
        migrations.AddConstraint(
            model_name='stockmovement',
            constraint=models.UniqueConstraint(fields=('tenant', 'item', 'location', 'kind', 'reference'), name='inventory_movement_once'),
        ),
        SecureTable("StockLevel"),
        SecureTable("StockMovement", append_only=True),
        SecureTable("PurchaseOrder"),
        SecureTable("PurchaseOrderLine"),
        SecureTable("Receipt", append_only=True),
    ]
