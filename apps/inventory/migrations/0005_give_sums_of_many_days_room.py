"""Give stock room for the sums of many days, each of which holds as much as a day can."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0004_name_delivery_notes_and_changed_lines'),
    ]

    operations = [
        migrations.AlterField(
            model_name='stocklevel',
            name='on_hand',
            field=models.DecimalField(decimal_places=3, default=0, max_digits=20, verbose_name='on hand'),
        ),
        migrations.AlterField(
            model_name='stockmovement',
            name='quantity',
            field=models.DecimalField(decimal_places=3, max_digits=20, verbose_name='quantity'),
        ),
        migrations.AlterField(
            model_name='stockmovement',
            name='wanted',
            field=models.DecimalField(decimal_places=3, help_text='Demand of the day where stock could not serve all of it', max_digits=20, null=True, verbose_name='wanted'),
        ),
    ]
