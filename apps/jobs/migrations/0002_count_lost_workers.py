"""Count the workers that a job has cost, so that one that kills them comes to an end."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0001_make_tables'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='workers_lost',
            field=models.PositiveSmallIntegerField(default=0, verbose_name='workers lost'),
        ),
    ]
