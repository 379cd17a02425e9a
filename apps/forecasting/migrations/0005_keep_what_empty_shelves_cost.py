"""Keep beside each forecast what empty shelves kept its item from selling of late; earlier runs say nothing of it."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('forecasting', '0004_say_why_forecasts_are_so'),
    ]

    operations = [
        migrations.AddField(
            model_name='seriesforecast',
            name='days_out',
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='seriesforecast',
            name='lost_high',
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name='seriesforecast',
            name='lost_low',
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name='seriesforecast',
            name='lost_units',
            field=models.FloatField(null=True),
        ),
    ]
