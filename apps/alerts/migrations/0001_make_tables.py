"""Make the tables of alerts."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from apps.tenants.tables import SecureTable


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('severity', models.CharField(choices=[('info', 'to know'), ('warning', 'to look at'), ('critical', 'urgent')], max_length=10, verbose_name='severity')),
                ('code', models.CharField(max_length=60, verbose_name='code')),
                ('subject', models.CharField(blank=True, max_length=120)),
                ('title', models.CharField(max_length=200, verbose_name='title')),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('link', models.CharField(blank=True, max_length=300, verbose_name='link')),
                ('state', models.CharField(choices=[('open', 'open'), ('seen', 'seen'), ('resolved', 'resolved')], default='open', max_length=10, verbose_name='state')),
                ('raised_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='raised')),
                ('last_seen_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='last time')),
                ('resolved_at', models.DateTimeField(blank=True, null=True, verbose_name='resolved')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'indexes': [models.Index(fields=['tenant', 'state', '-raised_at'], name='alerts_alert_recent')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'resolved'), _negated=True), fields=('tenant', 'code', 'subject'), name='alerts_alert_open_once')],
            },
        ),
        SecureTable("Alert"),
    ]
