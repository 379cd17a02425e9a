"""Make the tables of ingestion."""

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
            name='Connection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('shop_domain', models.CharField(blank=True, max_length=200, verbose_name="shop's address")),
                ('secret', models.TextField(verbose_name='signing secret, encrypted')),
                ('is_active', models.BooleanField(default=True, verbose_name='in use')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('channel', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.channel')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('topic', models.CharField(max_length=60, verbose_name='about')),
                ('delivery_id', models.CharField(max_length=120)),
                ('sha256', models.CharField(max_length=64)),
                ('body', models.BinaryField()),
                ('state', models.CharField(choices=[('pending', 'waiting'), ('applied', 'applied'), ('duplicate', 'already known'), ('rejected', 'rejected')], default='pending', max_length=10, verbose_name='state')),
                ('times_received', models.PositiveIntegerField(default=1, verbose_name='times received')),
                ('outcome', models.JSONField(default=dict)),
                ('error', models.TextField(blank=True)),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='received')),
                ('applied_at', models.DateTimeField(null=True, verbose_name='applied')),
                ('connection', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ingestion.connection')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ImportFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('orders', 'order lines'), ('items', 'items'), ('stock', 'stock on hand'), ('suppliers', 'suppliers and terms'), ('promotions', 'promotions')], max_length=12, verbose_name='what it holds')),
                ('name', models.CharField(max_length=200, verbose_name='file')),
                ('sha256', models.CharField(max_length=64)),
                ('size', models.BigIntegerField(verbose_name='bytes')),
                ('path', models.CharField(max_length=300)),
                ('dialect', models.JSONField(default=dict)),
                ('mapping', models.JSONField(default=dict)),
                ('options', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('stored', 'waiting for its columns to be confirmed'), ('queued', 'waiting to be read'), ('applying', 'being read'), ('applied', 'read'), ('refused', 'refused')], default='stored', max_length=12, verbose_name='state')),
                ('rows_read', models.PositiveIntegerField(default=0, verbose_name='rows')),
                ('rows_applied', models.PositiveIntegerField(default=0, verbose_name='applied')),
                ('rows_duplicate', models.PositiveIntegerField(default=0, verbose_name='already known')),
                ('rows_set_aside', models.PositiveIntegerField(default=0, verbose_name='set aside')),
                ('rows_rejected', models.PositiveIntegerField(default=0, verbose_name='rejected')),
                ('rules', models.JSONField(default=dict)),
                ('error', models.TextField(blank=True)),
                ('job_id', models.BigIntegerField(null=True)),
                ('uploaded_by', models.CharField(blank=True, max_length=160, verbose_name='by')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='came in')),
                ('applied_at', models.DateTimeField(null=True, verbose_name='applied')),
                ('seconds', models.FloatField(null=True)),
                ('channel', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.channel')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='RowIssue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('row_number', models.PositiveIntegerField(verbose_name='row')),
                ('outcome', models.CharField(choices=[('rejected', 'rejected'), ('set_aside', 'set aside')], max_length=10)),
                ('rule', models.CharField(max_length=40, verbose_name='rule')),
                ('column', models.CharField(blank=True, max_length=60, verbose_name='column')),
                ('value', models.TextField(blank=True, verbose_name='value')),
                ('raw', models.JSONField(default=dict)),
                ('file', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='ingestion.importfile')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.AddConstraint(
            model_name='connection',
            constraint=models.UniqueConstraint(fields=('tenant', 'channel'), name='ingestion_connection_once'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['tenant', 'state', '-id'], name='ingestion_delivery_state'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('tenant', 'connection', 'delivery_id'), name='ingestion_delivery_once'),
        ),
        migrations.AddIndex(
            model_name='importfile',
            index=models.Index(fields=['tenant', '-id'], name='ingestion_file_recent'),
        ),
        migrations.AddIndex(
            model_name='importfile',
            index=models.Index(fields=['tenant', 'sha256'], name='ingestion_file_sha'),
        ),
        migrations.AddIndex(
            model_name='rowissue',
            index=models.Index(fields=['tenant', 'file', 'rule'], name='ingestion_issue_rule'),
        ),
        migrations.AddConstraint(
            model_name='rowissue',
            constraint=models.UniqueConstraint(fields=('tenant', 'file', 'row_number'), name='ingestion_issue_once'),
        ),
        SecureTable("ImportFile"),
        SecureTable("RowIssue"),
        SecureTable("Connection"),
        SecureTable("Delivery"),
    ]
