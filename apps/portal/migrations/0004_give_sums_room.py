"""Give what is advised of an item room for the largest orders of all its locations."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0003_say_from_which_day_stock_lasts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='itemsummary',
            name='recommended',
            field=models.PositiveBigIntegerField(default=0),
        ),
    ]
