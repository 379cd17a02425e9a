"""Make the tables of registry."""

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
            name='ModelVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, verbose_name='what it predicts')),
                ('version', models.PositiveIntegerField(verbose_name='version')),
                ('model', models.CharField(max_length=60, verbose_name='model')),
                ('family', models.CharField(max_length=40, verbose_name='family')),
                ('parameters', models.JSONField(default=dict, verbose_name='parameters')),
                ('seed', models.BigIntegerField(verbose_name='seed')),
                ('trained_through', models.DateField(verbose_name='trained through')),
                ('data_fingerprint', models.CharField(max_length=64, verbose_name='data')),
                ('code_version', models.CharField(max_length=64, verbose_name='code')),
                ('lock_hash', models.CharField(max_length=64, verbose_name='libraries')),
                ('metrics', models.JSONField(default=dict, verbose_name='metrics')),
                ('tags', models.JSONField(default=dict, verbose_name='tags')),
                ('artifact_path', models.CharField(max_length=200)),
                ('artifact_sha256', models.CharField(max_length=64, verbose_name='artifact')),
                ('signature', models.CharField(max_length=64)),
                ('job_id', models.BigIntegerField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='trained')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ModelAlias',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, verbose_name='what it predicts')),
                ('alias', models.CharField(max_length=20, verbose_name='alias')),
                ('set_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='since')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('version', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.modelversion')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='AliasChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40)),
                ('alias', models.CharField(max_length=20)),
                ('actor_label', models.CharField(max_length=160, verbose_name='who')),
                ('reason', models.TextField(verbose_name='why')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='when')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('after', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.modelversion')),
                ('before', apps.tenants.tables.TenantForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.modelversion')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.AddConstraint(
            model_name='modelversion',
            constraint=models.UniqueConstraint(fields=('tenant', 'name', 'version'), name='registry_version_once'),
        ),
        migrations.AddConstraint(
            model_name='modelalias',
            constraint=models.UniqueConstraint(fields=('tenant', 'name', 'alias'), name='registry_alias_once'),
        ),
        migrations.AddIndex(
            model_name='aliaschange',
            index=models.Index(fields=['tenant', 'name', '-created_at'], name='registry_change_recent'),
        ),
        SecureTable("ModelVersion"),
        SecureTable("ModelAlias"),
        SecureTable("AliasChange", append_only=True),
    ]
