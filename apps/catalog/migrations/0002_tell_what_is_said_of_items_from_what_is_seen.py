"""Know whether a file of items has spoken of an item, whether it has a sku, and which sale showed its price."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0001_make_tables'),
    ]

    operations = [
        migrations.AddField(
            model_name='item',
            name='has_sku',
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name='item',
            name='is_stated',
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name='item',
            name='price_seen_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
