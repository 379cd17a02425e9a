"""Give the amounts of a plan room for the largest sales that are taken for true."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('optimization', '0003_name_each_figure_that_is_made_up'),
    ]

    operations = [
        migrations.AlterField(
            model_name='plan',
            name='avoided_lost_sales',
            field=models.DecimalField(decimal_places=2, max_digits=24, verbose_name='lost sales avoided'),
        ),
        migrations.AlterField(
            model_name='plan',
            name='money',
            field=models.DecimalField(decimal_places=2, max_digits=24, verbose_name='money'),
        ),
        migrations.AlterField(
            model_name='recommendation',
            name='avoided_lost_sales',
            field=models.DecimalField(decimal_places=2, max_digits=24, verbose_name='lost sales avoided'),
        ),
        migrations.AlterField(
            model_name='recommendation',
            name='net_gain',
            field=models.DecimalField(decimal_places=2, max_digits=24, verbose_name='gain'),
        ),
    ]
