"""Let a line be decided on again once its order was cancelled: a decision is one for each order.

It goes back as long as no line was decided on twice: decisions are facts, and none is dropped for that.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('optimization', '0004_give_amounts_room'),
        ('tenants', '0001_make_tables'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='decision',
            name='optimization_decision_once',
        ),
        migrations.AddConstraint(
            model_name='decision',
            constraint=models.UniqueConstraint(fields=('tenant', 'recommendation', 'purchase_order_id'), name='optimization_decision_once', nulls_distinct=False),
        ),
    ]
