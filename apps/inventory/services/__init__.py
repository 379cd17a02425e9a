"""What changes stock and purchase orders."""

from apps.inventory.models import MOST_UNITS
from apps.inventory.services.changes import (
    LineEdit,
    OddLot,
    ReasonMissing,
    on_items_changed,
    on_line_edited,
    on_lines_dropped,
    tell_items_changed,
)
from apps.inventory.services.purchase_orders import (
    MoreThanOrdered,
    NotPossible,
    ReceivedLine,
    WantedLine,
    approve_order,
    cancel_order,
    change_line,
    lock_orders,
    mark_sent,
    open_purchase_orders,
    receive_due,
    receive_lines,
    receive_rest,
    remove_line,
    tell_unsent,
)
from apps.inventory.services.stock import counted_day_sql, post_sales, set_counts

__all__ = [
    "MOST_UNITS",
    "LineEdit",
    "MoreThanOrdered",
    "NotPossible",
    "OddLot",
    "ReasonMissing",
    "ReceivedLine",
    "WantedLine",
    "approve_order",
    "cancel_order",
    "change_line",
    "counted_day_sql",
    "lock_orders",
    "mark_sent",
    "on_items_changed",
    "on_line_edited",
    "on_lines_dropped",
    "open_purchase_orders",
    "post_sales",
    "receive_due",
    "receive_lines",
    "receive_rest",
    "remove_line",
    "set_counts",
    "tell_items_changed",
    "tell_unsent",
]
