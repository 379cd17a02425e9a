"""Say of which place it is told how long an item's stock lasts; the lists fill it when they are derived next."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0005_date_what_lasted_by_a_plan'),
    ]

    operations = [
        migrations.AddField(
            model_name='itemsummary',
            name='lasts_at',
            field=models.BigIntegerField(null=True),
        ),
    ]
