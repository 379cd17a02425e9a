"""Keep which items orders hold together or instead of each other, and which shape of week and year items share."""

import django.db.models.deletion
from django.db import migrations, models

import apps.tenants.tables
from apps.tenants.tables import SecureTable


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0005_keep_which_of_a_suppliers_terms_are_made_up'),
        ('forecasting', '0006_say_which_forecasts_are_of_new_items'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='ItemPair',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('relation', models.PositiveSmallIntegerField(choices=[(1, 'bought with'), (2, 'bought instead of')], verbose_name='relation')),
                ('place', models.PositiveSmallIntegerField()),
                ('as_of', models.DateField(verbose_name='as of')),
                ('orders', models.PositiveIntegerField(verbose_name='orders with the item')),
                ('together', models.PositiveIntegerField(verbose_name='orders with both')),
                ('buyers', models.PositiveIntegerField(verbose_name='customers who bought both together')),
                ('switchers', models.PositiveIntegerField(default=0, verbose_name='customers who bought both, never together')),
                ('expected', models.FloatField(verbose_name='orders with both, by chance')),
                ('surely', models.FloatField(verbose_name='surely so many times')),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.item')),
                ('other', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.item')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'item', 'other'), name='forecasting_pair_once')],
            },
        ),
        SecureTable('ItemPair'),
        migrations.CreateModel(
            name='ItemShape',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cycle', models.PositiveSmallIntegerField(choices=[(1, 'week'), (2, 'year')])),
                ('kind', models.PositiveSmallIntegerField(choices=[(0, 'of no simple shape'), (1, 'even'), (2, 'with one peak')])),
                ('first', models.PositiveSmallIntegerField(default=0)),
                ('last', models.PositiveSmallIntegerField(default=0)),
                ('alike', models.PositiveIntegerField(verbose_name='items of this shape')),
                ('as_of', models.DateField(verbose_name='as of')),
                ('item', apps.tenants.tables.TenantForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.item')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'item', 'cycle'), name='forecasting_shape_once')],
            },
        ),
        SecureTable('ItemShape'),
    ]
