"""Let queries be planned alike for every tenant, known to the statistics or not."""

from django.db import migrations

# A tenant that joined since the last ANALYZE would count as one row, and its thousands be joined by loops: without
# statistics of tenant_id every tenant counts as the same share of the table.
TABLES = ("optimization_plan", "optimization_recommendation", "optimization_decision")


class Migration(migrations.Migration):

    dependencies = [
        ("optimization", "0001_make_tables"),
    ]

    operations = [
        migrations.RunSQL(f"ALTER TABLE {table} ALTER COLUMN tenant_id SET STATISTICS 0",
                          f"ALTER TABLE {table} ALTER COLUMN tenant_id SET STATISTICS -1")
        for table in TABLES
    ]
