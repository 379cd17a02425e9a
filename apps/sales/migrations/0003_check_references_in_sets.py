"""Check what lines and days refer to by the statement: they are written by the million."""

from django.db import migrations

from apps.tenants.tables import CheckReferencesInSets


class Migration(migrations.Migration):

    dependencies = [
        ('sales', '0002_state_versions_of_lines'),
    ]

    operations = [
        CheckReferencesInSets("SaleLine"),
        CheckReferencesInSets("DailyDemand"),
    ]
