"""Say of each item how steady its weeks are and how it sells; the lists fill it when they are derived next."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0007_sum_what_empty_shelves_cost'),
    ]

    operations = [
        migrations.AddField(
            model_name='itemsummary',
            name='demand',
            field=models.CharField(blank=True, choices=[('smooth', 'steadily'), ('erratic', 'up and down'), ('intermittent', 'now and then'), ('lumpy', 'in lumps')], max_length=12),
        ),
        migrations.AddField(
            model_name='itemsummary',
            name='xyz',
            field=models.CharField(blank=True, max_length=1),
        ),
    ]
