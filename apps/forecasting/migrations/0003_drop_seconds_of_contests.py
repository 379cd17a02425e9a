"""The stages of a contest say how long each took: their sum is not kept beside them."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('forecasting', '0002_keep_profile_and_note'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='backtest',
            name='seconds',
        ),
    ]
