"""Remember what an alert told of, so that only another such thing is news."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0001_make_tables'),
    ]

    operations = [
        migrations.AddField(
            model_name='alert',
            name='told_of',
            field=models.JSONField(default=list, help_text='What it told of, by id: only another one is news'),
        ),
    ]
