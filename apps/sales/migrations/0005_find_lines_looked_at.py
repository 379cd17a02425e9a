"""Find the few lines of which a person said something."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0004_keep_what_is_made_up_value_by_value'),
        ('sales', '0004_find_large_lines'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='saleline',
            index=models.Index(condition=models.Q(('source__startswith', 'person ')), fields=['tenant', 'occurred_at'], name='sales_line_person'),
        ),
    ]
