"""Let a line be decided on again while it stands on a draft: the last decision is the one that stands."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('optimization', '0005_decide_again_on_what_was_cancelled'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='decision',
            name='optimization_decision_once',
        ),
        migrations.AddIndex(
            model_name='decision',
            index=models.Index(fields=['tenant', 'recommendation', '-id'], name='optimization_decision_newest'),
        ),
    ]
