"""Keep beside the forecast of a new item how many similar ones it is drawn from; earlier runs say nothing of it."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('forecasting', '0005_keep_what_empty_shelves_cost'),
    ]

    operations = [
        migrations.AddField(
            model_name='seriesforecast',
            name='similar_items',
            field=models.PositiveIntegerField(null=True, verbose_name='similar items'),
        ),
    ]
