"""Say which rejected rows came again or were set aside, and how many of a file they are."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0002_remember_idempotency_keys'),
    ]

    operations = [
        migrations.AddField(
            model_name='importfile',
            name='rows_settled',
            field=models.PositiveIntegerField(default=0, verbose_name='rejected, and wait no more'),
        ),
        migrations.AlterField(
            model_name='rowissue',
            name='outcome',
            field=models.CharField(choices=[('rejected', 'rejected'), ('settled', 'rejected, and waits no more'), ('set_aside', 'set aside')], max_length=10),
        ),
    ]
