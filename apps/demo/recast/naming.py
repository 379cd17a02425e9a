"""What the import files are called, and the days for which there is one."""

from datetime import date, timedelta

from apps.demo.recast.shops import ENDS_ON, STANDS_ON

ORDERS = "orders.csv"
ITEMS = "items.csv"
STOCK = "stock.csv"
SUPPLIERS = "suppliers.csv"
PROMOTIONS = "promotions.csv"
MANIFEST = "manifest.json"


def later_days() -> list[date]:
    """Return the days that are let in one by one, the day on which the shop stands first."""
    return [STANDS_ON + timedelta(days=days) for days in range((ENDS_ON - STANDS_ON).days + 1)]


def day_file(name: str, day: date) -> str:
    """Return the name of the file that a later day adds, such as orders-2017-12-04.csv."""
    return f"{name.removesuffix('.csv')}-{day}.csv"
