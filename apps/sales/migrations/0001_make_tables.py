"""Make the tables of sales."""

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
            name='DailyDemand',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('date', models.DateField(verbose_name='day')),
                ('units', models.DecimalField(decimal_places=3, max_digits=14, verbose_name='units')),
                ('orders', models.PositiveIntegerField(verbose_name='order lines')),
                ('revenue', models.DecimalField(decimal_places=4, max_digits=16, verbose_name='revenue')),
                ('shelf_value', models.DecimalField(decimal_places=4, max_digits=16, verbose_name='value at shelf price')),
                ('discount', models.DecimalField(decimal_places=4, max_digits=16, verbose_name='discount')),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.item')),
                ('location', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.location')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'indexes': [models.Index(fields=['tenant', 'date'], name='sales_daily_date')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'item', 'location', 'date'), name='sales_daily_once')],
            },
        ),
        migrations.CreateModel(
            name='Promotion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('mailer', 'mailer'), ('display', 'display'), ('price', 'price'), ('other', 'other')], max_length=10, verbose_name='kind')),
                ('starts_on', models.DateField(verbose_name='from')),
                ('ends_on', models.DateField(verbose_name='to')),
                ('share', models.FloatField(default=1.0, verbose_name='share of stores or days')),
                ('is_known_ahead', models.BooleanField(default=False, verbose_name='known beforehand')),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.item')),
                ('location', apps.tenants.tables.TenantForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.location')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'item', 'location', 'kind', 'starts_on'), name='sales_promotion_once', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('ends_on__gte', models.F('starts_on'))), name='sales_promotion_ends_after_start'), models.CheckConstraint(condition=models.Q(('share__gte', 0), ('share__lte', 1)), name='sales_promotion_share')],
            },
        ),
        migrations.CreateModel(
            name='SaleLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_line_id', models.CharField(max_length=120)),
                ('revision', models.PositiveIntegerField(default=0)),
                ('order_id', models.CharField(max_length=80, verbose_name='order')),
                ('customer', models.CharField(blank=True, max_length=24, verbose_name="customer's pseudonym")),
                ('quantity', models.DecimalField(decimal_places=3, max_digits=14, verbose_name='quantity')),
                ('shelf_price', models.DecimalField(decimal_places=4, max_digits=14, null=True, verbose_name='shelf price')),
                ('paid_price', models.DecimalField(decimal_places=4, max_digits=14, null=True, verbose_name='paid price')),
                ('discount', models.DecimalField(decimal_places=4, default=0, max_digits=14, verbose_name='discount')),
                ('promotion', models.CharField(blank=True, max_length=80, verbose_name='promotion')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('occurred_at', models.DateTimeField(verbose_name='sold')),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='recorded')),
                ('source', models.CharField(blank=True, max_length=40)),
                ('channel', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.channel')),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.item')),
                ('location', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.location')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'indexes': [models.Index(fields=['tenant', 'item', 'occurred_at'], name='sales_line_item_when')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'channel', 'external_line_id', 'revision'), name='sales_line_revision_once')],
            },
        ),
        SecureTable("SaleLine", append_only=True),
        SecureTable("DailyDemand"),
        SecureTable("Promotion"),
    ]
