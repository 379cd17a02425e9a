"""Files of order lines: everything is counted once, nothing is lost in silence, and the same again adds nothing."""

from __future__ import annotations

import csv
import io
from collections import Counter
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.models import Item, Location
from apps.ingestion import selectors, services
from apps.ingestion.models import ImportFile, RowIssue
from apps.ingestion.services import applying
from apps.inventory.models import StockLevel
from apps.sales import services as sales_services
from apps.sales.models import SaleLine
from apps.tenants.models import Tenant
from tests.integration.ingestion.shops import ORDERS, counts, ledger, sold, store, take

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shop")]

SHOPIFY = (
    "Name,Email,Financial Status,Currency,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
    "Lineitem compare at price,Lineitem sku,Cancelled at,Lineitem discount\n"
)


def issues(file: ImportFile) -> dict[int, tuple[str, str, str]]:
    return {issue.row_number: (issue.rule, issue.column, issue.value) for issue in selectors.issues_of(file)}


def rejected_waiting() -> int:
    return sum(figures.waiting for figures in selectors.counts_by_kind().values())


def rejected_file(file: ImportFile) -> list[dict[str, str]]:
    text = b"".join(selectors.issue_lines(file)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def as_file(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_lines_come_in_and_the_same_file_again_adds_nothing() -> None:
    text = ORDERS + "1,1,2025-01-05T23:30:00-05:00,A,2,3.00,2.50\n1,2,2025-01-05 23:30,B,1,4,\n"
    assert counts(take(text)) == (2, 2, 0, 0, 0)
    assert counts(take(text)) == (2, 0, 2, 0, 0)
    assert counts(take(text.replace("A,2", "A,2 "))) == (2, 0, 2, 0, 0)
    assert sold() == {("A", "2025-01-05"): 2, ("B", "2025-01-05"): 1}
    first, second = SaleLine.objects.order_by("external_line_id")
    assert (first.shelf_price, first.paid_price, first.discount) == (3, Decimal("2.5"), 1)
    assert (second.shelf_price, second.paid_price) == (4, 4)
    assert Item.objects.get(sku="A").price == 3


def test_lines_without_ids_are_told_apart_by_their_place_in_the_order() -> None:
    text = "order,date,sku,qty\n1,2025-01-05,A,1\n1,2025-01-05,B,1\n1,2025-01-05,A,1\n2,2025-01-05,A,1\n"
    first = take(text)
    assert counts(first) == (4, 4, 0, 0, 0)
    assert first.rules["flagged"]["repeated_line"] == 1
    assert {line[0] for line in ledger()} == {"1/A#1", "1/B#1", "1/A#2", "2/A#1"}
    assert counts(take(text + "3,2025-01-06,A,5\n")) == (5, 1, 4, 0, 0)


def test_a_file_without_order_numbers_counts_each_row_once_however_often_it_is_sent() -> None:
    january = "2025-01-05,A,2\n2025-01-05,A,2\n2025-01-05,A,1\n2025-01-06,B,one\n"
    first = take("date,sku,units\n" + january, None)
    assert (counts(first), first.rules["flagged"]["no_order"]) == ((4, 3, 0, 0, 1), 3)
    [rejected] = rejected_file(first)
    assert counts(take("date,sku,units\n" + january + "\n", None))[1] == 0
    shuffled = "".join(reversed(january.replace("one", "1").splitlines(keepends=True)))
    assert counts(take("date,sku,units\n2025-02-01,A,4\n" + shuffled, None)) == (5, 2, 3, 0, 0)
    assert counts(take(as_file([{**rejected, "units": "1"}]), "orders")) == (1, 0, 1, 0, 0)
    assert sold() == {("A", "2025-01-05"): 5, ("B", "2025-01-06"): 1, ("A", "2025-02-01"): 4}


def test_a_sale_without_an_order_number_is_the_same_however_it_is_written() -> None:
    """Neither how a date or number is written nor a price, a title or a column left out makes it another sale."""
    head = "date,sku,title,quantity,price,discount,location\n"
    rows = "2025-01-05,A,Apple,2,10.00,1,North\n" * 2 + "2025-01-05,A,Apple,2,10.00,1,South\n"
    assert counts(take(head + rows)) == (3, 3, 0, 0, 0)
    for old, new in (
        (".00", ".0"),
        ("2025-01-05", "2025-01-05 00:00"),
        ("Apple", "Pear"),
        (",2,", ",2.0,"),
        (",1,", ",,"),
        ("10.00", "9"),
    ):
        file = take(head + rows.replace(old, new))
        assert (file.rows_read, file.rows_rejected, sum(line[3] for line in ledger())) == (3, 0, 6), new
    take("date,sku,quantity,location\n2025-01-05,A,2,South\n2025-01-05,A,2,North\n2025-01-05,A,2,North\n")
    Tenant.objects.update(time_zone="Asia/Tokyo")
    take(head + rows.replace("10", "8"))
    assert {line.occurred_at.isoformat() for line in SaleLine.objects.filter(entry=1)} >= {"2025-01-04T15:00:00+00:00"}
    assert sum(line[3] for line in ledger()) == 6
    take("date,title,quantity\n2025-02-01,Plum,1\n2025-02-01,Fig,1\n")
    assert sum(line[3] for line in ledger()) == 8, "where no SKU stands, the title tells them apart"
    assert take(SHOPIFY + "#1,a@b.test,paid,USD,2025-01-05,1,Tea,3,,T,,0\n", mapping={"order_id": ""}).rows_applied == 1


def test_every_bad_row_keeps_its_number_value_and_reason() -> None:
    file = take(
        ORDERS + "1,1,2025-01-05,A,2,3,\n"  # row 2 holds
        ",1,2025-01-05,A,2,3,\n1,2,yesterday,A,2,3,\n1,3,2025-01-05,A,two,3,\n1,4,2025-01-05,,2,3,\n"
        "1,5,2025-01-05,A,,3,\n1,6,2999-01-05,A,2,3,\n1,7,2025-01-05,A,2,3x,\n1,8,2025-01-05,A\n"
        f"1,9,2025-01-05,{'x' * 121},2,3,\n1,10,2025-01-05,A,9999999999,3,\n"
    )
    assert counts(file) == (11, 1, 0, 0, 10)
    assert issues(file) == {
        3: ("missing", "order_id", ""),
        4: ("moment", "occurred_at", "yesterday"),
        5: ("number", "quantity", "two"),
        6: ("missing", "sku", ""),
        7: ("missing", "quantity", ""),
        8: ("out_of_time", "occurred_at", "2999-01-05"),
        9: ("number", "shelf_price", "3x"),
        10: ("columns", "", "1,8,2025-01-05,A"),
        11: ("too_long", "sku", "x" * 121),
        12: ("too_large", "quantity", "9999999999"),
    }


def test_what_would_mend_a_row_is_said_in_the_words_and_figures_of_its_file() -> None:
    file = take(
        "Bestellung;Datum;Artikelnummer;Menge;Einzelpreis\n1;13.01.2025;A;1;2,50\n2;13.01.2025;A;zwei;2,50\n"
        "3;gestern;A;1;2,50\n4;13.01.2025;A;;2.50.1\n5;13.01.2025;A\n"
    )
    rows = [(row.column, row.fix) for row in selectors.shown_issues(file, selectors.issues_of(file))]
    say_so = "If all numbers of the file look like 1234.56, say so and read it again."
    assert rows == [
        ("Menge", f"“Menge”: Write digits, such as 1234,56. {say_so}"),
        ("Datum", "“Datum”: Write it as 31.12.2025 or 31.12.2025 17:45."),
        ("Einzelpreis", f"“Einzelpreis”: Write digits, such as 1234,56. {say_so}"),
        ("", "Put values that contain “;” into quotation marks, and leave no column out."),
    ]
    orders = selectors.counts_by_kind()["orders"]
    told = {each.rule.code: each.fix for each in selectors.rule_counts(orders.rules, "rejected", orders.files)}
    assert told["moment"] == rows[1][1]
    assert told["number"] == f"Write digits, such as 1234,56. {say_so}", "two columns have such values"
    text = b"".join(selectors.issue_lines(file)).decode("utf-8-sig")
    given = csv.DictReader(io.StringIO(text), delimiter=";")
    assert [(row["import column"], row["import remedy"]) for row in given] == rows
    slashes = take("order,date,sku,qty\n1,13/01/2025,A,1\n2,1/13/2025,A,1\n3,14/01/2025,A,1\n")
    assert next(selectors.shown_issues(slashes, selectors.issues_of(slashes))).fix == (
        "“date”: Write it as 31/12/2025 or 31/12/2025 17:45."
    )


def test_rows_are_set_aside_by_named_rules() -> None:
    take("sku,title,category\nA,Apple,Food > Fruit\nF,Super,Fuel > Petrol\n", "items")
    text = (
        "order_id,line_id,occurred_at,sku,title,quantity,shelf_price,status\n"
        "1,1,2025-01-05,A,,1,2,paid\n1,2,2025-01-05,F,,1,2,paid\n1,3,2025-01-05,S,Shipping,1,5,paid\n"
        "1,4,2025-01-05,A,,0,2,paid\n1,5,2025-01-05,A,,1,-2,paid\n2,1,2025-01-05,A,,1,2,cancelled\n"
        ",,,,,,,\n1,7,2025-01-05,G,Gift card,1,25,paid\n1,1,2025-01-05,A,,1,2,paid\n"
        "1,9,2025-01-05,T,Tip,1,2,paid\n"
    )
    file = take(text)
    assert counts(file) == (10, 1, 0, 9, 0)
    assert file.rules["set_aside"] == {
        "fuel": 1,
        "shipping": 1,
        "zero_quantity": 1,
        "price_below_zero": 1,
        "cancelled": 1,
        "blank": 1,
        "gift_card": 1,
        "repeated": 1,
        "tip": 1,
    }
    assert RowIssue.objects.get(rule="cancelled").raw["cells"][:2] == ["2", "1"]


def test_returns_net_against_the_sales_of_their_day() -> None:
    file = take(
        "order,date,sku,qty,price,status\n1,2025-01-05,A,5,2,paid\n2,2025-01-05,A,-2,2,paid\n"
        "3,2025-01-05,A,1,2,returned\n"
    )
    assert counts(file) == (3, 3, 0, 0, 0)
    assert file.rules["flagged"]["returned"] == 2
    assert sold() == {("A", "2025-01-05"): 2}


def test_an_order_cancelled_later_is_taken_back() -> None:
    text = "order,date,sku,qty,price,status\n1,2025-01-05,A,5,2,{}\n"
    take(text.format("paid"))
    file = take(text.format("cancelled"))
    assert counts(file) == (1, 1, 0, 0, 0)
    assert sold() == {}
    assert counts(take(text.format("paid"))) == (1, 0, 1, 0, 0)  # the older file, sent again, is stale
    assert sold() == {}


def test_unknown_items_are_made_or_set_aside_as_the_file_says_and_filled_in_later() -> None:
    text = ORDERS + "1,1,2025-01-05,A,2,3,\n"
    aside = take(text, options={"unknown_items": "set_aside"})
    assert (counts(aside), aside.rules["set_aside"]) == ((1, 0, 0, 1, 0), {"unknown_sku": 1})
    made = take(text, options={"unknown_items": "make"})
    assert (counts(made), made.rules["flagged"]["new_item"]) == ((1, 1, 0, 0, 0), 1)
    take("sku,title,brand\nA,Apple,Farm\n", "items")
    assert Item.objects.values_list("sku", "title", "brand").get() == ("A", "Apple", "Farm")


def test_all_locations_fold_into_one_where_the_file_says_so() -> None:
    text = "order,date,sku,qty,store\n1,2025-01-05,A,1,North\n2,2025-01-05,A,1,South\n"
    take(text, options={"fold_locations": "main"})
    assert set(SaleLine.objects.values_list("location__code", flat=True)) == {"main"}
    take(text.replace("1,2025", "11,2025").replace("2,2025", "12,2025"))
    assert set(Location.objects.values_list("code", flat=True)) == {"main", "north", "south"}


def test_quantities_in_another_unit_are_caught_and_outliers_only_marked() -> None:
    lines = "".join(f"{n},2025-01-05,A,1,4.00\n" for n in range(20))
    file = take("order,date,sku,qty,price\n" + lines + "90,2025-01-05,A,500,0.004\n91,2025-01-05,A,500,4.00\n")
    assert file.rules["set_aside"] == {"other_units": 1}
    assert file.rules["flagged"]["outlier"] == 1
    assert sold() == {("A", "2025-01-05"): 520}


def test_what_is_stopped_later_is_not_said_to_count() -> None:
    head = "order,date,sku,qty,price,title\n"
    take(head + "".join(f"{n},2025-01-05,A,1,4.00,Apple\n" for n in range(20)))
    aside = take(head + "90,2025-01-05,,500,0.004,Apple\n")
    assert (counts(aside), aside.rules["set_aside"]) == ((1, 0, 0, 1, 0), {"other_units": 1})
    assert aside.rules["flagged"] == {}
    day = "".join(f"b{n},2025-01-05,,1000000000,4.00,apple\n" for n in range(100))
    rejected = take(head + day + "91,2025-01-06,,30,4.00,apple\n")
    assert (counts(rejected), rejected.rules["rejected"]) == ((101, 1, 0, 0, 100), {"too_large": 100})
    assert rejected.rules["flagged"] == {"by_title": 1}, "of what was rejected, nothing is far more than usual"


def test_another_currency_counts_as_demand_and_not_as_money() -> None:
    file = take("order,date,sku,qty,price,currency\n1,2025-01-05,A,2,3,EUR\n2,2025-01-05,A,1,3,usd\n")
    assert file.rules["flagged"]["other_currency"] == 1
    assert set(SaleLine.objects.values_list("quantity", "paid_price", "currency")) == {(2, None, "EUR"), (1, 3, "USD")}


def test_customers_are_pseudonyms() -> None:
    take(
        "order,date,sku,qty,email\n1,2025-01-05,A,1,Ann@example.test\n2,2025-01-05,A,1,ann@example.test\n"
        "3,2025-01-05,A,1,\n"
    )
    names = list(SaleLine.objects.order_by("order_id").values_list("customer", flat=True))
    assert names[0] == names[1] != ""
    assert names[2] == ""
    assert "ann" not in "".join(names)


def test_a_shopify_export_is_read_without_a_word() -> None:
    file = take(
        SHOPIFY + '#1,a@x.test,paid,USD,2025-01-05 10:00:00 -0500,2,"Tea, green",5.00,6.00,T-1,,1.00\n'
        "#1,a@x.test,,,2025-01-05 10:00:00 -0500,1,Cup,4.00,,,,0.00\n"
        "#2,b@x.test,refunded,USD,2025-01-05 11:00:00 -0500,1,Cup,4.00,,,,0.00\n"
        "#3,b@x.test,paid,USD,2025-01-05 11:00:00 -0500,1,Cup,4.00,,,2025-01-06 11:00:00 -0500,0.00\n"
        '#1,a@x.test,paid,USD,2025-01-05 10:00:00 -0500,2,"Tea, green",5.00,6.00,T-1,,1.00\n'
        "#1,a@x.test,,,2025-01-05 10:00:00 -0500,1,Cup,4.00,,,,0.00\n",
        None,
    )
    assert file.channel.slug == "shopify"
    assert counts(file) == (6, 2, 0, 4, 0)
    assert file.rules["set_aside"] == {"refunded": 1, "cancelled": 1, "repeated": 2}
    tea = SaleLine.objects.get(item__sku="T-1")
    assert (tea.shelf_price, tea.paid_price, tea.external_line_id) == (6, Decimal("4.5"), "#1/T-1#1")
    assert sold() == {("T-1", "2025-01-05"): 2, ("Cup", "2025-01-05"): 1}


def test_a_woocommerce_export_is_read_without_a_word() -> None:
    file = take(
        "order_id,order_number,date,status,order_currency,customer_id,item_id,item_name,item_sku,item_quantity,"
        "item_subtotal,item_total\n"
        "7,1007,2025-01-05 10:00:00,completed,USD,5,31,Tea,T-1,2,10.00,9.00\n"
        "7,1007,2025-01-05 10:00:00,completed,USD,5,32,Cup,C-1,1,4.00,4.00\n"
        "8,1008,2025-01-05 10:00:00,failed,USD,5,33,Cup,C-1,1,4.00,4.00\n",
        None,
    )
    assert (file.channel.slug, counts(file)) == ("woocommerce", (3, 2, 0, 1, 0))
    tea = SaleLine.objects.get(item__sku="T-1")
    assert (tea.shelf_price, tea.paid_price, tea.external_line_id) == (5, Decimal("4.5"), "1007/31")


def test_mended_rows_join_the_lines_they_belong_to() -> None:
    """A rejected row keeps its place in the order, so that its mended twin is neither lost nor another line."""
    text = "order,date,sku,qty\n1,2025-01-05,A,one\n1,2025-01-05,A,3\n2,2025-01-05,B,1,9\n"
    file = take(text)
    assert counts(file) == (3, 1, 0, 0, 2)
    assert rejected_waiting() == 2
    rows = rejected_file(file)
    assert rows[0]["import problem"] == "This is not a number"
    assert rows[0]["import remedy"]
    rows[0]["qty"] = "1"
    rows[1].pop(None, None)  # type: ignore[call-overload]
    assert counts(take(as_file(rows[:1]))) == (1, 1, 0, 0, 0)
    assert rejected_waiting() == 1, "what was mended and sent again waits no more"
    assert counts(take(as_file(rows))) == (2, 1, 1, 0, 0)
    assert rejected_waiting() == 0
    assert sold() == {("A", "2025-01-05"): 4, ("B", "2025-01-05"): 1}
    assert counts(take(as_file(rows))) == (2, 0, 2, 0, 0)
    whole = take(text.replace("one", "1").replace(",9\n", "\n"))
    assert counts(whole)[:2] == (3, 1)  # a row of too many columns names no line, so it cannot be known again
    assert sold()["A", "2025-01-05"] == 4


def test_rows_that_fail_again_are_what_they_were() -> None:
    file = take("order,date,sku,qty,title\n1,2025-01-05,A,one,=cmd()\n1,2025-01-05,'-B,x,@t\n2,2025-01-05,+C,1,-t,=9\n")
    raw = b"".join(selectors.issue_lines(file))
    assert b"''-B,x,'@t" in raw and b"'+C,1,'-t,'=9" in raw
    again = b"".join(selectors.issue_lines(take(raw)))
    first, second = ([row[6:] for row in csv.reader(io.StringIO(each.decode()))] for each in (raw, again))
    assert first == second
    mended = raw.replace(b",one,", b",1,").replace(b",x,", b",1,").replace(b",'=9", b"")
    assert counts(take(mended)) == (3, 3, 0, 0, 0)
    assert dict(Item.objects.values_list("sku", "title")) == {"A": "=cmd()", "'-B": "@t", "+C": "-t"}


def test_rejected_rows_wait_until_they_come_again_or_somebody_sets_them_aside() -> None:
    head, later = "order,date,sku,qty\n", []
    first = take(head + "1,2025-01-05,A,one\n1,2025-01-05,A,3\n,2025-01-05,B,1\n3,2025-01-05,C,1,9\n")
    take(head + "8,2025-01-05,H,none\n")  # another day's file, which nothing below is about
    assert (counts(first)[4], rejected_waiting()) == (3, 4)
    assert take(head + "9,2025-01-06,A,1\n1,2025-01-05,A,again\n").rows_rejected == 1
    assert rejected_waiting() == 4, "the row of order 1 came again: it waits in its new file alone"
    for row in rejected_file(first):  # each mended file hides its own row only
        row.pop(None, None)  # type: ignore[call-overload]
        row["order"] = row["order"] or "2"
        later.append(as_file([row]))
        assert counts(take(later[-1])) == (1, 1, 0, 0, 0)
        assert rejected_waiting() == 4 - len(later)
    assert take(head + "1,2025-01-05,A,1\n1,2025-01-05,A,3\n2,2025-01-05,B,1\n").rows_rejected == 0
    assert rejected_waiting() == 1, "the whole file, mended, has the line that was rejected twice"
    again = take(head + "1,2025-01-05,A,one\n1,2025-01-05,A,3\n,2025-01-05,B,1\n3,2025-01-05,C,1,9\n")
    assert (again.rows_rejected, rejected_waiting()) == (3, 1), "what was settled is, in the same bytes too"
    services.set_rows_aside(file=ImportFile.objects.get(rows_read=1, rows_rejected=1), actor=None)
    assert rejected_waiting() == 0


def test_only_rejected_rows_are_nameless() -> None:
    file = take("order,date,sku,qty\n1,2025-01-05,A,1\n,2025-01-05,B,2\n,,,\n2,2025-01-05,B,x\n")
    assert counts(file) == (4, 1, 0, 1, 2)
    assert selectors.nameless_rows(file) == 1, "neither the empty row nor the one that its order names"


def test_a_rejected_row_waits_on_where_the_row_that_names_it_was_set_aside() -> None:
    rows = rejected_file(take("order,date,sku,qty\n1,2025-01-05,A,one\n,2025-01-05,B,2\n"))
    assert counts(take(as_file([{**rows[0], "qty": "0"}, {**rows[1], "order": "2", "qty": "0"}]))) == (2, 0, 0, 2, 0)
    assert rejected_waiting() == 2
    assert counts(take(as_file([{**rows[0], "qty": "x"}, {**rows[1], "order": "2"}]))) == (2, 1, 0, 0, 1)
    assert rejected_waiting() == 1


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        ("items", "sku,title,price\nA,Apple,x\nB,Pear,2\n", "sku,price\nA,3\n"),
        ("stock", "sku,location,on_hand\nA,North,x\nA,South,2\n", "sku,location,on_hand\nA,North,3\n"),
        ("suppliers", "supplier,sku,moq\nFarm,A,x\nFarm,B,2\n", "supplier,sku,moq,cost\nFarm,A,3,1\n"),
        (
            "promotions",
            "sku,kind,from,to,share\nA,Flyer,13/01/2025,20/01/2025,x\nB,Flyer,13/01/2025,20/01/2025,1\n",
            "sku,kind,from,to\nA,mailer,2025-01-13,2025-01-20\n",
        ),
        ("promotions", "sku,from,to\nA,2025-01-20,2025-01-13\n", "sku,from,to\nA,2025-01-13,2025-01-20\n"),
        (
            "promotions",
            "sku,from,to\nA,2025-01-13,2025-01-20\nA,2025-01-13,2025-01-25\n",
            "sku,from,to\nA,2025-01-13,2025-01-25\n",
        ),
    ],
)
def test_a_later_file_answers_for_the_rows_of_the_same_things(kind: str, wrong: str, right: str) -> None:
    take(wrong, kind)
    take(right.replace("A", "other"), kind)
    assert rejected_waiting() == 1
    take(right, kind)
    assert rejected_waiting() == 0


@pytest.mark.parametrize(
    ("kind", "wrong", "mended"),
    [
        ("promotions", "sku,from,to\nA,soon,2025-01-20\n,2025-01-13,2025-01-20\n", {"from": "2025-01-13", "sku": "A"}),
        ("promotions", "sku,from,to\nA,2025-01-20,2025-01-13\nA,2025-02-20,2025-02-13\n", {"to": "2025-03-01"}),
        ("orders", "order,date,sku,qty\n,2025-01-05,A,1\n,2025-01-05,A,1\n", {"order": "7"}),
    ],
)
def test_rows_that_only_their_file_names_wait_no_more_once_mended_in_it(
    kind: str, wrong: str, mended: dict[str, str]
) -> None:
    file = take(wrong, kind)
    first, second = rejected_file(file)
    assert counts(take(as_file([{**first, **mended}]), None)) == (1, 1, 0, 0, 0)
    assert rejected_waiting() == 1
    assert take(as_file([{**second, **mended}]), None).rows_rejected == 0
    assert rejected_waiting() == 0


def test_mended_rows_are_read_as_the_file_that_they_were_rejected_from() -> None:
    """What a person, or the rest of that file, said of its columns, dates, numbers and channel holds for them too."""
    text = 'No,When,Thing,How many,price\n1,03.04.2025,A,1,"1,50"\n,04/03/2025,B,2,1.234\n2,04/03/2025,C,x,1.234\n'
    said = {"order_id": "No", "occurred_at": "When", "sku": "Thing", "quantity": "How many", "shelf_price": "price"}
    first = take(text, channel="till", mapping=said, options={"dates": "dmy", "numbers": "comma"})
    rows = rejected_file(first)
    file = store(as_file([{**rows[0], "No": "9"}, {**rows[1], "How many": "3"}]), None)
    assert (file.kind, file.channel.slug, file.dialect["questions"]) == ("orders", "till", [])
    assert {**said, "line_id": "line_id"} == file.mapping
    assert counts(services.apply_file(file_id=file.pk)) == (2, 2, 0, 0, 0)
    assert sold() == {("A", "2025-04-03"): 1, ("B", "2025-03-04"): 2, ("C", "2025-03-04"): 3}
    assert set(SaleLine.objects.values_list("shelf_price", flat=True)) == {Decimal("1.5"), 1234}
    assert rejected_waiting() == 0
    nobodys = store(as_file([{**rows[0], "import file": "999999"}]), None)
    assert nobodys.channel.slug == "files"
    assert store(as_file(rows), None, channel="web").channel.slug == "web", "whoever names the channel is right"
    others = store(as_file(rows), "stock")
    assert (others.mapping.get("sku"), others.options["numbers"], others.channel.slug) == (None, "point", "files")


def test_the_same_line_twice_is_one_or_none() -> None:
    file = take(ORDERS + "1,1,2025-01-05,A,2,3,\n1,1,2025-01-05,A,2,3,\n1,1,2025-01-05,A,7,3,\n")
    assert counts(file) == (3, 1, 0, 1, 1)
    assert (file.rules["set_aside"], file.rules["rejected"]) == ({"repeated": 1}, {"line_twice": 1})


def test_dates_and_numbers_in_doubt_are_asked_and_never_guessed_in_silence() -> None:
    text = "order;date;sku;qty;price\n1;03/04/2025;A;1;1.234\n"
    file = store(text)
    assert file.dialect["questions"] == ["numbers", "dates"]
    chosen = take(text, options={"dates": "dmy", "numbers": "point"})
    assert chosen.dialect["questions"] == []
    assert sold() == {("A", "2025-04-03"): 1}


@pytest.mark.parametrize(
    ("country", "usual", "day"),
    [
        ("US", "mdy", "2025-03-04"),
        ("GB", "dmy", "2025-04-03"),
        ("DE", "dmy", "2025-04-03"),
        ("JP", "dmy", "2025-04-03"),
    ],
)
def test_a_date_that_may_be_read_in_two_ways_is_preset_as_is_usual_in_the_shops_country(
    shop: Tenant, country: str, usual: str, day: str
) -> None:
    Tenant.objects.filter(pk=shop.pk).update(country=country)
    text = "order,date,sku,qty\n1,03/04/2025,A,1\n"
    file = store(text)
    assert (file.options["dates"], file.dialect["questions"]) == (usual, ["dates"])
    services.apply_file(file_id=file.pk)
    assert sold() == {("A", day): 1}
    for other, way in (("13/04/2025", "dmy"), ("04/13/2025", "mdy")):
        clear = store(text + f"2,{other},A,1\n")
        assert (clear.options["dates"], clear.dialect["questions"]) == (way, [])
    assert store(text, options={"dates": "mdy"}).options["dates"] == "mdy"


def test_a_day_is_the_shops_own_whatever_its_clocks_do() -> None:
    """New York: hours that come twice or not at all, offsets of elsewhere, and days of 23 and of 25 hours."""
    moments = {
        "2025-11-02T01:30:00-04:00": "2025-11-02",
        "2025-11-02T01:30:00-05:00": "2025-11-02",
        "2025-11-02 01:30": "2025-11-02",
        "2025-11-02 23:59:59": "2025-11-02",
        "2025-03-09 02:30": "2025-03-09",
        "2025-03-10T03:59:59Z": "2025-03-09",
        "2025-03-10T04:00:00Z": "2025-03-10",
        "2025-03-09T06:30:00+09:00": "2025-03-08",
        "20250308": "2025-03-08",
        "08.03.2025, 23:30 Uhr": "2025-03-08",
    }
    rows = [f'{n},"{moment}",A,1\n' for n, moment in enumerate(moments)]
    head = "order,date,sku,qty\n"
    point = transaction.savepoint()
    take(head + "".join(rows))
    at_once = sold()
    transaction.savepoint_rollback(point)
    for row in rows:
        take(head + row)
    assert sold() == at_once == {("A", day): float(count) for day, count in Counter(moments.values()).items()}


def test_a_return_may_stand_before_its_sale() -> None:
    rows = [
        "2,2025-01-05,A,-2,paid\n",
        "3,2025-01-06,A,1,returned\n",
        "1,2025-01-05,A,5,paid\n",
        "4,2025-01-06,A,1,paid\n",
    ]
    head = "order,date,sku,qty,status\n"
    assert counts(take(head + "".join(rows))) == (4, 4, 0, 0, 0)
    assert sold() == {("A", "2025-01-05"): 3, ("A", "2025-01-06"): 0}
    assert counts(take(head + "".join(reversed(rows)))) == (4, 0, 4, 0, 0)


def test_three_ways_of_writing_dates_in_one_file() -> None:
    take("order,date,sku,qty\n1,2025-12-25,A,1\n2,12/25/2025,A,1\n3,25.12.2025,A,1\n4,2025-12-25T09:00:00-05:00,A,1\n")
    assert sold() == {("A", "2025-12-25"): 4}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02\x03", "text"),
        (b"PK\x03\x04xx", "Excel"),
        (b"just words\nand more\n", "one column"),
        (b"a,b\n1,2\n", "missing"),
        (b"order,date,sku,sku,qty\n1,2025-01-05,A,B,1\n", "Two columns"),
    ],
)
def test_a_hopeless_file_is_refused_with_a_sentence_and_leaves_nothing(raw: bytes, words: str) -> None:
    with pytest.raises(services.FileRefused, match=words), transaction.atomic():
        take(raw)
    assert SaleLine.objects.count() == RowIssue.objects.count() == 0


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_encoding_ends_in_the_same_ledger(encoding: str, newline: str) -> None:
    text = 'Bestellung;Datum;Artikelnummer;Menge;Preis;Bezeichnung\n1;05.01.2025;Ä-1;1,5;2,50;"Größe ""L""\nrot"\n'
    take(text.replace("\n", newline).encode(encoding))
    line = SaleLine.objects.select_related("item").get()
    assert (line.item.sku, line.quantity, line.paid_price) == ("Ä-1", Decimal("1.5"), Decimal("2.5"))
    assert line.item.title.startswith('Größe "L"')


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from("AB"),
            st.sampled_from(["1", "2", "0", "-1", "x", ""]),
            st.sampled_from(["paid", "cancelled", "refunded"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_comes_every_row_is_accounted_for_and_again_changes_nothing(
    shop: Tenant, rows: list[tuple[int, str, str, str]]
) -> None:
    text = "order,date,sku,qty,status\n" + "".join(
        f"{order},2025-01-05,{sku},{quantity},{status}\n" for order, sku, quantity, status in rows
    )
    point = transaction.savepoint()
    first = take(text)
    after = (ledger(), sold())
    again = take(text)
    assert (counts(first)[0], counts(again)[0]) == (len(rows), len(rows))
    assert again.rows_applied == 0
    assert (ledger(), sold()) == after
    transaction.savepoint_rollback(point)


def test_a_mark_that_opens_and_never_closes_costs_no_row() -> None:
    file = take(
        "order,date,sku,qty,product\n"
        + "".join(f'{n},2025-01-05,S{n},1,"{n} inch {"screw" if n % 2 else "bolt, long"}\n' for n in range(1, 5))
    )
    assert counts(file) == (4, 2, 0, 0, 2)
    assert (file.rules["rejected"], file.rules["flagged"]["open_quote"]) == ({"columns": 2}, 4)
    assert set(Item.objects.values_list("title", flat=True)) == {'"1 inch screw', '"3 inch screw'}


def test_what_a_shopper_wrote_into_a_note_forges_no_sale() -> None:
    text = 'order,date,sku,qty,note\n1,2025-01-05,A,1,"thanks\nF,2025-01-05,A,900,x"\n2,2025-01-05,A,2,\n'
    file = take(text)
    assert counts(file) == (2, 1, 0, 0, 1)
    [refused] = selectors.issues_of(file)
    assert (refused.row_number, refused.rule, refused.value) == (
        2,
        "rows_in_value",
        '1,2025-01-05,A,1,"thanks\nF,2025-01-05,A,900,x"',
    )
    mended = take(b"".join(selectors.issue_lines(file)))  # it is one value, as the person who sends it back says
    assert counts(mended) == (1, 1, 0, 0, 0)
    assert sold() == {("A", "2025-01-05"): 3}


def test_ten_percent_bad_rows_lose_only_themselves() -> None:
    lines = [f"{n},1,2025-01-{n % 28 + 1:02d},S{n % 50},{'bad' if n % 10 == 0 else 1},2,\n" for n in range(5_000)]
    file = take(ORDERS + "".join(lines))
    assert counts(file) == (5_000, 4_500, 0, 0, 500)
    assert sum(sold().values()) == 4_500
    assert len(rejected_file(file)) == 500


def test_many_locations_are_made_at_once_and_too_many_are_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(applying, "MOST_NAMES", {"location": 300, "channel": 3})
    header = "order_id,occurred_at,sku,quantity,location,channel\n"

    def rows(locations: int, channels: int = 1) -> str:
        return header + "".join(f"{n},2025-01-05,A,1,Shop {n % locations},c{n % channels}\n" for n in range(600))

    with CaptureQueriesContext(connection) as of_few:
        take(rows(2))
    with CaptureQueriesContext(connection) as of_many:
        take(rows(250))
    assert abs(len(of_many) - len(of_few)) < 20
    assert Location.objects.filter(name__startswith="Shop ").count() == 250
    for text, column in ((rows(600), "location"), (rows(2, channels=9), "channel")):
        with pytest.raises(services.FileRefused, match=f"column “{column}” has more than .* different values"):
            take(text)
    assert Location.objects.filter(name__startswith="Shop ").count() == 250


def test_writing_says_how_far_it_is_and_can_be_stopped_in_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sales_services, "BLOCKS_AT_ONCE", 10)
    file = store(ORDERS + "".join(f"{n},1,2025-01-{1 + n % 28:02d},S{n % 50},1,3,2\n" for n in range(3000)))
    told: list[tuple[float, str]] = []

    def stop(share: float, note: str) -> None:
        if "50" < note.removeprefix("Writing the lines: ") < "99":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        services.apply_file(file_id=file.pk, on_progress=stop)
    assert SaleLine.objects.count() == 0
    services.apply_file(file_id=file.pk, on_progress=lambda share, note: told.append((share, note)))
    assert sum(sold().values()) == 3000
    assert [share for share, _note in told] == sorted(share for share, _note in told)
    steps = [share for share, note in told if note.startswith("Writing the lines")]
    assert len(steps) > 3 and max(later - earlier for earlier, later in pairwise(steps)) < 0.2


def test_lines_that_are_worth_more_than_can_be_true_are_rejected_and_not_the_file() -> None:
    huge = "1000000000"
    file = take(
        "order,date,sku,qty,price,paid_price,total,discount\n"
        f"1,2025-01-05,A,{huge},{huge},,,\n2,2025-01-05,A,0.000001,,,{huge},\n3,2025-01-05,A,1,1,,,\n"
    )
    assert counts(file) == (3, 1, 0, 0, 2)
    assert file.rules["rejected"] == {"too_large": 2}


def test_lines_that_only_together_are_too_many_for_a_day_are_rejected_and_end_no_file_in_an_error() -> None:
    head, day = "order,date,sku,qty,price\n", "{},2025-01-05,{},1000000000,99\n"
    file = take(head + "".join(day.format(n, "A") for n in range(20)) + "90,2025-01-05,B,1,1\n91,2025-01-06,A,2,1\n")
    assert (counts(file), file.rules["rejected"]) == ((22, 2, 0, 0, 20), {"too_large": 20})


def test_lines_that_are_too_many_for_a_day_beside_what_is_known_of_it_are_rejected_and_nothing_else() -> None:
    head, day = "order,date,sku,qty,price\n", "{},2025-01-05,C,{},99\n"
    known = "".join(day.format(n, 10**9) for n in range(6))
    take(head + known)
    more = "".join(day.format(n, 10**9) for n in range(10, 16))
    text = head + known + more + "90,2025-01-06,C,1,1\n91,2025-01-05,B,1,1\n"
    file = take(text)
    assert (counts(file), file.rules["rejected"]) == ((14, 2, 6, 0, 6), {"too_large": 6})
    assert issues(file) == dict.fromkeys(range(8, 14), ("too_large", "quantity", "1000000000"))
    assert sold() == {("C", "2025-01-05"): 6e9, ("C", "2025-01-06"): 1, ("B", "2025-01-05"): 1}
    assert rejected_waiting() == 6
    assert counts(take(text.replace(more, more.replace(str(10**9), "1")))) == (14, 6, 8, 0, 0)
    assert (sold()["C", "2025-01-05"], rejected_waiting()) == (6e9 + 6, 0)


def test_a_line_that_grows_beyond_what_its_day_holds_is_rejected_and_stays_what_it_was() -> None:
    head = "order,date,sku,qty,price\n"
    lines = [f"{n},2025-01-05,C,{10**9},99\n" for n in range(11)]
    take(head + "".join(lines[:10]) + lines[10].replace(str(10**9), "1"))
    known = ledger()
    file = take(head + lines[10] + "90,2025-01-05,B,1,1\n")
    assert (counts(file), file.rules["rejected"]) == ((2, 1, 0, 0, 1), {"too_large": 1})
    assert ledger()[:-1] == known


def test_a_file_that_moves_a_line_from_a_day_which_that_leaves_beyond_all_measure_is_refused_with_a_sentence() -> None:
    head = "order,date,sku,title,qty,price\n"
    take(
        head + "".join(f"{n},2025-01-05,C,Cake,{quantity},99\n" for n, quantity in enumerate([10**9, *[-(10**9)] * 11]))
    )
    known = ledger()
    with pytest.raises(services.FileRefused, match="“Cake” on 5 Jan 2025 add up to more than"), transaction.atomic():
        take(head + f"0,2025-01-06,C,Cake,{10**9},99\n")
    assert ledger() == known


def test_days_that_each_hold_may_together_move_more_stock_than_one_of_them() -> None:
    take("sku,stock,date\nA,5,2025-01-04\n", "stock")
    days = [f"{n},2025-01-{5 + n % 3:02d},A,1000000000\n" for n in range(270)]
    assert counts(take("order,date,sku,qty\n" + "".join(days))) == (270, 270, 0, 0, 0)
    assert StockLevel.objects.get().on_hand == 5 - 270 * 10**9
    take("sku,stock,date\nA,7,2025-01-08\n", "stock")
    assert StockLevel.objects.get().on_hand == 7
