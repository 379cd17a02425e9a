"""Remember the key under which a program sent a batch."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0001_make_tables'),
        ('ingestion', '0001_make_tables'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.AddField(
            model_name='importfile',
            name='idempotency_key',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddConstraint(
            model_name='importfile',
            constraint=models.UniqueConstraint(condition=models.Q(('idempotency_key', ''), _negated=True), fields=('tenant', 'idempotency_key'), name='ingestion_file_key_once'),
        ),
    ]
