"""State which version of a line a revision speaks for, and whether it states or takes back."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sales', '0001_make_tables'),
    ]

    operations = [
        migrations.AddField(
            model_name='saleline',
            name='entry',
            field=models.SmallIntegerField(choices=[(-1, 'taken back'), (0, 'confirmed'), (1, 'stated')], default=1),
        ),
        migrations.AddField(
            model_name='saleline',
            name='version_at',
            field=models.DateTimeField(default=django.utils.timezone.now, help_text='The moment of which the source speaks'),
        ),
    ]
