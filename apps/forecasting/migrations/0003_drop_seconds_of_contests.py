"""The stages of a contest say how long each took: their sum is not kept beside them.

Going back, contests took no time: the column needs a value, and has its default alone.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('forecasting', '0002_keep_profile_and_note'),
    ]

    operations = [
        migrations.AlterField(
            model_name='backtest',
            name='seconds',
            field=models.FloatField(default=0, verbose_name='seconds'),
        ),
        migrations.RemoveField(
            model_name='backtest',
            name='seconds',
        ),
    ]
