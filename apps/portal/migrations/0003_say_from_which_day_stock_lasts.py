"""Say from which day an item's cover and run-out day are reckoned."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0002_count_usage'),
    ]

    operations = [
        migrations.AddField(
            model_name='itemsummary',
            name='lasts_from',
            field=models.DateField(null=True),
        ),
    ]
