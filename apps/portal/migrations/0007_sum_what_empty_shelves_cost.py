"""Say of each item what it did not sell of late for want of stock; the lists fill it when they are derived next."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0006_say_where_stock_ends_first'),
    ]

    operations = [
        migrations.AddField(
            model_name='itemsummary',
            name='days_out',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='itemsummary',
            name='lost_margin',
            field=models.FloatField(default=0),
        ),
        migrations.AddField(
            model_name='itemsummary',
            name='lost_units',
            field=models.FloatField(default=0),
        ),
    ]
