"""Give what overrides and replays gained room for the largest sales that are taken for true."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('feedback', '0001_make_tables'),
    ]

    operations = [
        migrations.AlterField(
            model_name='outcome',
            name='override_gain',
            field=models.DecimalField(decimal_places=2, max_digits=24, null=True),
        ),
        migrations.AlterField(
            model_name='proof',
            name='gain',
            field=models.DecimalField(decimal_places=2, max_digits=24),
        ),
        migrations.AlterField(
            model_name='proof',
            name='gain_high',
            field=models.DecimalField(decimal_places=2, max_digits=24),
        ),
        migrations.AlterField(
            model_name='proof',
            name='gain_low',
            field=models.DecimalField(decimal_places=2, max_digits=24),
        ),
    ]
