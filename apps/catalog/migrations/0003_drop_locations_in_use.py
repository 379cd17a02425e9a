"""Drop whether a location is in use: nothing ever asked."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0002_tell_what_is_said_of_items_from_what_is_seen'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='location',
            name='is_active',
        ),
    ]
