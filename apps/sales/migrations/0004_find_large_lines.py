"""Find the few large lines of a shop without reading all of its lines."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0003_drop_locations_in_use'),
        ('sales', '0003_check_references_in_sets'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='saleline',
            index=models.Index(condition=models.Q(('quantity__gte', 20)), fields=['tenant', 'occurred_at'], name='sales_line_large'),
        ),
    ]
