"""Let queries be planned alike for every tenant, known to the statistics or not."""

from django.db import migrations

# A tenant that joined since the last ANALYZE would count as one row, and its thousands be joined by loops: without
# statistics of tenant_id every tenant counts as the same share of the table.
TABLES = ("inventory_stocklevel", "inventory_stockmovement", "inventory_purchaseorder", "inventory_purchaseorderline",
          "inventory_receipt")


class Migration(migrations.Migration):

    dependencies = [
        ("inventory", "0001_make_tables"),
    ]

    operations = [
        migrations.RunSQL(f"ALTER TABLE {table} ALTER COLUMN tenant_id SET STATISTICS 0",
                          f"ALTER TABLE {table} ALTER COLUMN tenant_id SET STATISTICS -1")
        for table in TABLES
    ]
