"""A file's columns are known by what shops and languages call them."""

from __future__ import annotations

import pytest

from apps.ingestion.adapters import columns
from apps.ingestion.adapters.dialects import FileRefused

SHOPIFY_ORDERS = ["Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Fulfilled at",
                  "Accepts Marketing", "Currency", "Subtotal", "Shipping", "Taxes", "Total", "Discount Code",
                  "Discount Amount", "Shipping Method", "Created at", "Lineitem quantity", "Lineitem name",
                  "Lineitem price", "Lineitem compare at price", "Lineitem sku", "Lineitem requires shipping",
                  "Cancelled at", "Vendor", "Location", "Id", "Lineitem discount"]
SHOPIFY_PRODUCTS = ["Handle", "Title", "Body (HTML)", "Vendor", "Product Category", "Type", "Tags", "Published",
                    "Option1 Name", "Option1 Value", "Variant SKU", "Variant Grams", "Variant Inventory Qty",
                    "Variant Price", "Variant Compare At Price", "Image Src", "Cost per item", "Status"]
WOO_ORDERS = ["order_id", "order_number", "date", "status", "shipping_total", "order_total", "order_currency",
              "customer_id", "billing_email", "item_id", "item_product_id", "item_name", "item_sku", "item_quantity",
              "item_subtotal", "item_total", "coupons"]
WOO_PRODUCTS = ["ID", "Type", "SKU", "GTIN, UPC, EAN, or ISBN", "Name", "Published", "Is featured?", "In stock?",
                "Stock", "Sale price", "Regular price", "Categories", "Tags", "Brands", "Cost of goods"]


@pytest.mark.parametrize(("header", "kind", "name"), [
    (SHOPIFY_ORDERS, "orders", "shopify_orders"), (SHOPIFY_PRODUCTS, "items", "shopify_products"),
    (WOO_ORDERS, "orders", "woocommerce_orders"), (WOO_PRODUCTS, "items", "woocommerce_products"),
])
def test_a_shop_systems_own_export_needs_no_mapping(header: list[str], kind: str, name: str) -> None:
    found = columns.format_of(header)
    assert found is not None
    assert (found.name, columns.kind_of(header)) == (name, kind)
    columns.check_mapping(header, kind, columns.guess(header, kind))


@pytest.mark.parametrize("header", [
    ["Bestellnummer", "Datum", "Artikelnummer", "Menge", "Einzelpreis"],
    ["Bestell-Nr.", "Bestelldatum", "Artikelnr", "Menge", "Einzelpreis"],
    ["Commande", "Date de commande", "Référence", "Quantité", "Prix unitaire"],
    ["Pedido", "Fecha", "Código", "Cantidad", "Precio unitario"],
    ["订单号", "下单时间", "商品编码", "数量", "单价"],
    ["ORDER ID", "Order_Date", "Item-Code", "QTY", "Unit Price"],
])
def test_obvious_names_in_other_languages_are_known(header: list[str]) -> None:
    mapping = columns.guess(header, "orders")
    assert [mapping[name] for name in ("order_id", "occurred_at", "sku", "quantity", "shelf_price")] == header
    assert columns.kind_of(header) == "orders"


@pytest.mark.parametrize("header", [
    ["Artikelnummer", "Bezeichnung", "EK-Preis", "VK-Preis"], ["Artikelnr.", "Bezeichnung", "EK", "VK"],
    ["Artikelcode", "Omschrijving", "Inkoopprijs", "VK-prijs"],
    ["Référence", "Désignation", "Prix d’achat", "Prix vente"],
    ["Référence", "Désignation", "Prix achat", "Prix public"],
    ["Código", "Descripción", "Precio compra", "Precio venta"], ["商品编码", "商品名称", "进价", "销售价"],
])
def test_what_an_item_costs_and_sells_for_is_known_in_other_languages(header: list[str]) -> None:
    assert columns.kind_of(header) == "items"
    mapping = columns.guess(header, "items")
    assert [mapping[name] for name in ("sku", "title", "unit_cost", "price")] == header


@pytest.mark.parametrize("name", ["VK-Preis", "VK", "VK-prijs", "Prix vente", "Precio venta"])
def test_what_a_line_sold_for_is_known_in_other_languages(name: str) -> None:
    assert columns.guess(["Datum", "SKU", "Qty", name], "orders")["paid_price"] == name


@pytest.mark.parametrize("name", [
    "Lieferant", "Lieferantenname", "Hauptlieferant", "Leveranciersnaam", "Nom du fournisseur", "Proveedor principal",
    "供应商名称", "Main supplier"])
def test_who_supplies_is_known_in_other_languages(name: str) -> None:
    header = [name, "SKU", "MOQ"]
    assert (columns.kind_of(header), columns.guess(header, "suppliers")["supplier"]) == ("suppliers", name)


def test_what_is_not_read_of_an_items_file_is_named_with_the_kinds_that_would_read_it() -> None:
    header = ["Artikelnummer", "Bezeichnung", "Lieferant", "EK-Preis", "VK-Preis", "Bestand", "Farbe", "Farbe", ""]
    mapping = columns.guess(header, "items")
    assert columns.kind_of(header) == "items"
    unused = columns.unused(header, mapping)
    assert unused == ["Lieferant", "Bestand", "Farbe"]
    assert columns.other_readings(header, "items", unused) == {"stock": ["Bestand"], "suppliers": ["Lieferant"]}
    assert columns.other_readings(header, "stock", ["Farbe"]) == {}
    assert columns.other_readings(["Order", "Date", "SKU", "Qty", "Lieferant"], "orders", ["Lieferant"]) == {}


SHOPIFY_INVENTORY = ["Handle", "Title", "Option1 Name", "Option1 Value", "SKU", "HS Code", "COO", "Location",
                     "Incoming", "Unavailable", "Committed", "Available", "On hand"]
TILL_SALES = ["Sale ID", "Date", "Item", "Custom SKU", "Quantity", "Price", "Subtotal", "Discount", "Total", "Shop"]
TILL_ITEMS = ["System ID", "UPC", "EAN", "Custom SKU", "Manufact. SKU", "Item", "Vendor ID", "Qty.", "Price", "Tax",
              "Brand", "Department", "MSRP", "Default Cost", "Vendor", "Category"]


@pytest.mark.parametrize(("header", "kind"), [
    (["sku", "location", "on_hand", "counted_at"], "stock"), (SHOPIFY_INVENTORY, "stock"),
    (["Artikelnummer", "Lagerort", "Bestand"], "stock"), (["Référence", "Quantité en stock"], "stock"),
    (["Código", "Existencias", "Almacén"], "stock"), (["Artikelnummer", "Voorraad", "Magazijn"], "stock"),
    (["supplier", "sku", "lead_time_days", "moq", "pack_size"], "suppliers"), (["Vendor", "SKU", "MOQ"], "suppliers"),
    (["Lieferant", "Artikelnummer", "Lieferzeit", "EK"], "suppliers"),
    (["Fournisseur", "Référence", "Délai de livraison"], "suppliers"),
    (["Proveedor", "Código", "Plazo de entrega"], "suppliers"),
    (["Leverancier", "Artikelcode", "Levertijd"], "suppliers"),
    (["sku", "kind", "starts_on", "ends_on", "share"], "promotions"),
    (["Artikelnummer", "Aktionsart", "von", "bis"], "promotions"),
    (["Artikelnummer", "Bezeichnung", "Warengruppe", "Einkaufspreis"], "items"), (["sku", "title"], "items"),
    (["SKU", "Name", "Vendor", "Price"], "items"), (TILL_ITEMS, "items"),
    (["Référence", "Désignation", "Prix d'achat", "Prix de vente"], "items"),
    (["Código", "Descripción", "Coste", "PVP"], "items"),
    (["Artikelnummer", "Omschrijving", "Inkoopprijs", "Verkoopprijs", "Categorie"], "items"), (TILL_SALES, "orders"),
    (["Bestelnummer", "Besteldatum", "Artikelnummer", "Omschrijving", "Aantal", "Stukprijs"], "orders"),
    (["SKU", "Bezeichnung", "Grund"], None), (["Artikelnummer", "Menge fehlt"], None), (["sku", "quantity"], None),
    (["date", "sku", "units sold"], "orders"), (["date", "sku", "quantity"], None),
    (["sku", "from", "to", "quantity"], None), (["vendor", "sku", "price"], "items"),
    (["Name", "Email", "Phone"], None), (["Date", "Type", "Order", "Amount", "Fee"], None), (["sku", "note"], None),
])
def test_what_a_file_holds_is_seen_by_its_columns_or_asked(header: list[str], kind: str | None) -> None:
    assert columns.kind_of(header) == kind


def test_a_name_in_a_plain_file_is_the_products() -> None:
    assert columns.guess(["Date", "Name", "Qty"], "orders") == {"occurred_at": "Date", "title": "Name",
                                                                "quantity": "Qty"}


def test_every_canonical_name_means_itself() -> None:
    for kind, known in columns.COLUMNS.items():
        header = [column.name for column in known]
        assert columns.guess(header, kind) == {name: name for name in header}


def test_a_missing_column_is_named_beside_those_that_are_there() -> None:
    with pytest.raises(FileRefused, match=r"Quantity.*order_id, sku"):
        columns.check_mapping(["order_id", "sku", "date"], "orders",
                              {"order_id": "order_id", "sku": "sku", "occurred_at": "date"})


def test_a_doubled_column_is_refused_only_where_it_matters() -> None:
    header = ["sku", "price", "price", "note", "note"]
    with pytest.raises(FileRefused, match="Two columns are called “price”"):
        columns.check_mapping(header, "items", {"sku": "sku", "price": "price"})
    columns.check_mapping(header, "items", {"sku": "sku"})


def test_a_mapping_to_nothing_is_refused() -> None:
    with pytest.raises(FileRefused, match="no column “colour”"):
        columns.check_mapping(["sku"], "items", {"sku": "sku", "colour": "sku"})
    with pytest.raises(FileRefused, match="no column “x”"):
        columns.check_mapping(["sku"], "items", {"sku": "x"})
