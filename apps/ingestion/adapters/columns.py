"""What the columns of a file mean: the canonical names of each kind, and how other systems and languages say them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.ingestion.adapters.dialects import FileRefused


@dataclass(frozen=True)
class Column:
    """A canonical column: what it is called elsewhere, and what its values are."""

    name: str
    title: object
    value: str = "text"  # text, number, moment, date, flag
    names: tuple[str, ...] = ()
    is_required: bool = False
    most: int = 300  # characters that are kept


def _column(name: str, title: object, names: str = "", value: str = "text", *, required: bool = False,
            most: int = 300) -> Column:
    return Column(name, title, value, tuple(each.strip() for each in names.split("|") if each.strip()), required, most)


_SKU = _column("sku", gettext_lazy("SKU"), "sku|item sku|product sku|variant sku|lineitem sku|custom sku|item code|"
               "item no|item number|product code|product id|article|article number|artikelnummer|artikel nr|artikelnr|"
               "artikel|artikelcode|productcode|productnummer|référence|reference|ref|code article|código|codigo|"
               "codigo articulo|referencia|货号|商品编号|商品编码|商品代码|物料编码|sku编码|barcode|ean|upc",
               required=True, most=120)
_LOCATION = _column("location", gettext_lazy("Location"), "location|location name|store|store id|warehouse|shop|branch|"
                    "standort|filiale|lager|lagerort|magazijn|winkel|locatie|filiaal|magasin|entrepôt|dépôt|tienda|"
                    "almacén|almacen|门店|仓库|地点", most=200)
_CURRENCY = _column("currency", gettext_lazy("Currency"), "currency|order currency|currency code|währung|waehrung|"
                    "valuta|devise|moneda|divisa|币种|货币", most=3)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "orders": (
        _column("order_id", gettext_lazy("Order"), "order id|order|order number|order no|order #|number|sale id|"
                "receipt|receipt number|basket id|transaction id|invoice|invoice number|bestellnummer|bestellung|"
                "auftragsnummer|belegnummer|rechnungsnummer|bestelnummer|ordernummer|bestelling|bonnummer|"
                "factuurnummer|commande|numéro de commande|n° commande|no commande|pedido|número de pedido|"
                "numero de pedido|factura|订单号|订单编号|单号|小票号", most=80),
        _column("line_id", gettext_lazy("Line of the order"), "line id|line|line number|item id|line item id|"
                "order item id|positionsnummer|position|regelnummer|ligne|línea|linea|行号|子订单号", most=60),
        _column("occurred_at", gettext_lazy("Date and time"), "occurred at|date|order date|created at|created|sold at|"
                "datetime|timestamp|time|date created|sale date|transaction date|datum|bestelldatum|kaufdatum|"
                "verkaufsdatum|zeitpunkt|besteldatum|orderdatum|verkoopdatum|tijdstip|date de commande|date commande|"
                "fecha|fecha de pedido|fecha pedido|日期|时间|下单时间|订单日期|订单时间|销售日期|付款时间",
                "moment", required=True),
        _SKU,
        _column("title", gettext_lazy("Product"), "title|product|product name|item|item name|lineitem name|"
                "name|description|produkt|artikelbezeichnung|bezeichnung|produktname|omschrijving|artikelomschrijving|"
                "productnaam|artikelnaam|produit|désignation|nom du produit|"
                "libellé|producto|descripción|nombre|商品名称|商品|品名|名称"),
        _LOCATION,
        _column("channel", gettext_lazy("Sales channel"), "channel|sales channel|source name|vertriebskanal|kanal|"
                "canal|canal de venta|渠道|销售渠道", most=60),
        _column("quantity", gettext_lazy("Quantity"), "quantity|qty|units|item quantity|lineitem quantity|units sold|"
                "quantity sold|menge|anzahl|stückzahl|stueckzahl|stück|aantal|hoeveelheid|stuks|quantité|quantite|qté|"
                "qte|cantidad|unidades|cant|数量|件数|销量|销售数量", "number", required=True),
        _column("shelf_price", gettext_lazy("Shelf price, each"), "shelf price|price|unit price|list price|item price|"
                "lineitem price|regular price|preis|einzelpreis|stückpreis|listenpreis|prijs|stukprijs|"
                "eenheidsprijs|prix|prix unitaire|precio|"
                "precio unitario|单价|价格|原价|售价", "number"),
        _column("paid_price", gettext_lazy("Price paid, each"), "paid price|net price|sale price|price paid|"
                "unit price paid|verkaufspreis|vk preis|vk|verkoopprijs|vk prijs|prix payé|prix de vente|prix vente|"
                "precio pagado|precio de venta|precio venta|实付单价|成交价", "number"),
        _column("shelf_total", gettext_lazy("Line before discount"), "shelf total|item subtotal|line subtotal|subtotal",
                "number"),
        _column("paid_total", gettext_lazy("Line as paid"), "paid total|item total|line total|total|amount|sales value|"
                "net sales|revenue|gesamtpreis|betrag|umsatz|summe|gesamt|totaal|bedrag|montant|total ligne|importe|"
                "importe total|金额|总价|实付金额|销售额", "number"),
        _column("discount", gettext_lazy("Discount of the line"), "discount|line discount|lineitem discount|"
                "discount amount|rabatt|nachlass|korting|remise|descuento|折扣|优惠金额|优惠", "number"),
        _column("promotion", gettext_lazy("Promotion"), "promotion|discount code|coupon|coupon code|gutscheincode|"
                "kortingscode|code promo|promoción|cupón|优惠码|促销|活动", most=80),
        _column("customer", gettext_lazy("Customer (kept as a pseudonym)"), "customer|customer id|email|e mail|"
                "customer email|billing email|household id|kunde|kundennummer|kunden nr|klant|klantnummer|client|"
                "id client|cliente|id cliente|客户|买家|会员|会员号|顾客", most=300),
        _CURRENCY,
        _column("status", gettext_lazy("Status"), "status|order status|financial status|state|bestellstatus|"
                "bestelstatus|zustand|statut|état|estado|订单状态|状态", most=60),
        _column("cancelled_at", gettext_lazy("Cancelled"), "cancelled at|canceled at|storniert am|annulé le|"
                "取消时间", "moment"),
        _column("updated_at", gettext_lazy("Last changed"), "updated at|modified|last modified|date modified|"
                "geändert am|modifié le|actualizado|更新时间|修改时间", "moment"),
    ),
    "items": (
        _SKU,
        _column("title", gettext_lazy("Title"), "title|name|product|product name|item|item name|description|"
                "bezeichnung|artikelbezeichnung|produktname|produkt|omschrijving|artikelomschrijving|productnaam|naam|"
                "nom|désignation|produit|libellé|nombre|producto|descripción|商品名称|名称|品名|商品"),
        _column("category", gettext_lazy("Category"), "category|categories|product category|product type|type|"
                "department|kategorie|warengruppe|categorie|productgroep|artikelgroep|catégorie|rayon|categoría|"
                "categoria|类目|分类|类别|品类"),
        _column("brand", gettext_lazy("Brand"), "brand|brands|vendor|manufacturer|marke|hersteller|merk|marque|"
                "fabricant|marca|fabricante|品牌|厂商", most=120),
        _column("unit_of_measure", gettext_lazy("Unit"), "unit of measure|unit|uom|einheit|mengeneinheit|eenheid|unité|"
                "unidad|单位|计量单位", most=40),
        _column("unit_cost", gettext_lazy("Unit cost"), "unit cost|cost|default cost|cost per item|cost of goods|"
                "cost price|purchase price|meta: _wc_cog_cost|einkaufspreis|ek|ek preis|inkoopprijs|ik prijs|"
                "kostprijs|prix d'achat|prix achat|coût|coste|costo|precio de compra|precio compra|"
                "precio de coste|成本|成本价|进价|采购价", "number"),
        _column("price", gettext_lazy("Price"), "price|variant price|regular price|selling price|retail price|"
                "sale price|preis|verkaufspreis|vk|vk preis|uvp|prijs|verkoopprijs|vk prijs|adviesprijs|prix|"
                "prix de vente|prix vente|prix public|precio|precio de venta|precio venta|pvp|价格|售价|"
                "销售价|销售价格|零售价|单价", "number"),
        _column("status", gettext_lazy("Status"), "status|state|published|aktiv|zustand|statut|actif|estado|activo|"
                "状态|上架状态", most=60),
        _column("row_type", gettext_lazy("Type of row"), "row type", most=40),
    ),
    "stock": (
        _SKU, _LOCATION,
        _column("on_hand", gettext_lazy("On hand"), "on hand|stock|quantity|qty|inventory|stock on hand|"
                "inventory quantity|variant inventory qty|available|stock quantity|bestand|lagerbestand|menge|anzahl|"
                "voorraad|aantal|"
                "stock disponible|quantité|quantité en stock|existencias|cantidad|inventario|库存|数量|"
                "现有库存|库存数量",
                "number", required=True),
        _column("counted_at", gettext_lazy("Counted (a day alone: at its close)"),
                "counted at|date|count date|as of|stichtag|datum|zähldatum|"
                "teldatum|peildatum|date d'inventaire|date|fecha|fecha de recuento|盘点时间|日期|盘点日期", "moment"),
    ),
    "suppliers": (
        _column("supplier", gettext_lazy("Supplier"), "supplier|supplier name|main supplier|vendor|vendor name|"
                "lieferant|lieferantenname|name des lieferanten|hauptlieferant|leverancier|leveranciersnaam|"
                "naam leverancier|hoofdleverancier|fournisseur|nom du fournisseur|fournisseur principal|proveedor|"
                "nombre del proveedor|proveedor principal|供应商|供应商名称|供货商|供货商名称",
                required=True, most=160),
        Column(_SKU.name, _SKU.title, _SKU.value, _SKU.names, False, _SKU.most),
        _column("lead_time_days", gettext_lazy("Lead time, days"), "lead time days|lead time|lead time (days)|"
                "delivery time|lieferzeit|lieferzeit tage|lieferzeit (tage)|levertijd|levertijd (dagen)|délai|"
                "délai de livraison|délai (jours)|plazo|plazo de entrega|plazo (días)|交货期|交期|到货天数|供货周期",
                "number"),
        _column("lead_time_spread_days", gettext_lazy("Lead time spread, days"), "lead time spread days|"
                "lead time spread|lead time std|lead time deviation|streuung lieferzeit|交期波动", "number"),
        _column("moq", gettext_lazy("Minimum quantity"), "moq|minimum order quantity|min order qty|minimum quantity|"
                "mindestmenge|mindestbestellmenge|minimale afname|minimale bestelhoeveelheid|quantité minimum|"
                "quantité minimale|cantidad mínima|起订量|最小起订量", "number"),
        _column("pack_size", gettext_lazy("Pack of"), "pack size|pack|case pack|case size|units per case|"
                "verpackungseinheit|vpe|gebinde|verpakkingseenheid|colli|colisage|conditionnement|unidades por caja|"
                "tamaño de paquete|箱规|包装规格|装箱数", "number"),
        _column("unit_cost", gettext_lazy("Unit cost"), "unit cost|cost|price|purchase price|einkaufspreis|ek|"
                "ek preis|preis|inkoopprijs|ik prijs|prijs|prix d'achat|prix achat|prix|coût|coste|costo|precio|"
                "precio de compra|precio compra|precio de coste|成本|进价|采购价|单价", "number"),
        _column("minimum_order_value", gettext_lazy("Minimum order value"), "minimum order value|min order value|"
                "minimum order|mindestbestellwert|minimale bestelwaarde|minimum de commande|franco|pedido mínimo|"
                "valor mínimo|最低订货额|起订金额", "number"),
        _column("review_period_days", gettext_lazy("Ordered every, days"), "review period days|review period|"
                "order cycle|order every|bestellrhythmus|fréquence de commande|frecuencia de pedido|订货周期",
                "number"),
        _CURRENCY,
    ),
    "promotions": (
        _SKU, _LOCATION,
        _column("kind", gettext_lazy("Kind"), "kind|type|promotion|promotion type|art|aktionsart|soort|actie|"
                "type de promotion|tipo|类型|促销类型", most=30),
        _column("starts_on", gettext_lazy("From"), "starts on|start|start date|starts|from|von|beginn|startdatum|"
                "begindatum|van|vanaf|début|date de début|du|inicio|desde|fecha de inicio|开始日期|开始时间|开始",
                "date", required=True),
        _column("ends_on", gettext_lazy("To"), "ends on|end|end date|ends|to|until|bis|ende|enddatum|einddatum|tot|"
                "tot en met|fin|date de fin|au|hasta|fecha de fin|结束日期|结束时间|结束", "date", required=True),
        _column("share", gettext_lazy("Share of stores or days, 0 to 1"), "share|coverage|anteil|part|proporción|比例",
                "number"),
        _column("known_ahead", gettext_lazy("Known beforehand"), "known ahead|planned|geplant|prévu|planificada|"
                "提前已知", "flag"),
    ),
}


@dataclass(frozen=True)
class Format:
    """A shop system's own export: known by its columns, read without asking.

    `fill_down` columns stand on the first row of a `group` only.
    """

    name: str
    title: str
    kind: str
    signs: tuple[str, ...]
    mapping: Mapping[str, tuple[str, ...]]
    group: str = ""
    fill_down: tuple[str, ...] = ()
    channel: str = ""


FORMATS: tuple[Format, ...] = (
    Format(
        "shopify_orders", "Shopify", "orders", ("name", "financial status", "lineitem quantity", "lineitem name"),
        {"order_id": ("name",), "occurred_at": ("created at",), "sku": ("lineitem sku",), "title": ("lineitem name",),
         "quantity": ("lineitem quantity",), "shelf_price": ("lineitem price",), "discount": ("lineitem discount",),
         "customer": ("email",), "currency": ("currency",), "status": ("financial status",),
         "cancelled_at": ("cancelled at",), "location": ("location",), "promotion": ("discount code",),
         "compare_at_price": ("lineitem compare at price",)},
        group="order_id", channel="shopify",
        fill_down=("occurred_at", "customer", "currency", "status", "cancelled_at", "location", "promotion")),
    Format(
        "shopify_products", "Shopify", "items", ("handle", "title", "variant sku", "variant price"),
        {"sku": ("variant sku",), "title": ("title",), "category": ("product category", "type"), "brand": ("vendor",),
         "unit_cost": ("cost per item",), "price": ("variant price",), "status": ("status",), "handle": ("handle",),
         "option_1": ("option1 value",), "option_2": ("option2 value",), "option_3": ("option3 value",)},
        group="handle", channel="shopify", fill_down=("title", "category", "brand", "status")),
    Format(
        "woocommerce_orders", "WooCommerce", "orders", ("order_number", "item_sku", "item_quantity"),
        {"order_id": ("order_number",), "line_id": ("item_id",), "occurred_at": ("date", "order_date"),
         "sku": ("item_sku",), "title": ("item_name",), "quantity": ("item_quantity",),
         "shelf_total": ("item_subtotal",), "paid_total": ("item_total",), "customer": ("customer_email",
         "billing_email", "customer_id"), "currency": ("order_currency",), "status": ("status", "order_status"),
         "promotion": ("coupons", "coupon_code")},
        channel="woocommerce"),
    Format(
        "woocommerce_order_rows", "WooCommerce", "orders", ("order number", "sku", "item cost", "order status"),
        {"order_id": ("order number",), "occurred_at": ("order date",), "sku": ("sku",), "title": ("item name",),
         "quantity": ("quantity", "quantity (- refund)"), "shelf_price": ("item cost",),
         "paid_total": ("order line total", "item line total"), "customer": ("email (billing)", "customer user id"),
         "status": ("order status",), "promotion": ("coupon code",), "discount": ("discount amount",)},
        channel="woocommerce"),
    Format(
        "woocommerce_products", "WooCommerce", "items", ("id", "type", "sku", "regular price", "categories"),
        {"sku": ("sku",), "title": ("name",), "category": ("categories",), "brand": ("brands", "brand"),
         "unit_cost": ("cost of goods", "meta: _wc_cog_cost"), "price": ("regular price",), "status": ("published",),
         "row_type": ("type",)},
        channel="woocommerce"),
)
# Columns that a format reads besides the canonical ones.
EXTRA = {"compare_at_price": "number", "handle": "text", "option_1": "text", "option_2": "text", "option_3": "text"}


def plain(name: str) -> str:
    """A header's name without the accidents of writing: case, underscores, apostrophes, blanks, "Nr." for "nummer"."""
    text = unicodedata.normalize("NFKC", name).casefold().replace("’", "'")
    text = text.replace("_", " ").replace("-", " ").strip(" .:*")
    return re.sub(r" ?nr$", "nummer", re.sub(r"\s+", " ", text))


def format_of(header: Sequence[str], kind: str | None = None) -> Format | None:
    """The shop system whose export this is, by its columns."""
    names = {plain(name) for name in header}
    for known in FORMATS:
        if (kind is None or known.kind == kind) and all(plain(sign) in names for sign in known.signs):
            return known
    return None


def guess(header: Sequence[str], kind: str) -> dict[str, str]:
    """Which column of the file is which canonical one: the first of the names that a canonical column goes by."""
    first: dict[str, str] = {}
    for name in header:
        first.setdefault(plain(name), name)
    known = format_of(header, kind)
    if known is not None:
        return {canonical: first[plain(name)] for canonical, names in known.mapping.items()
                for name in [next((each for each in names if plain(each) in first), "")] if name}
    taken: set[str] = set()
    mapping: dict[str, str] = {}
    for exact in (True, False):
        for column in COLUMNS[kind]:
            if column.name in mapping:
                continue
            names = (column.name,) if exact else column.names
            for name in names:
                found = first.get(plain(name))
                if found is not None and found not in taken:
                    mapping[column.name] = found
                    taken.add(found)
                    break
    return mapping


def unused(header: Sequence[str], mapping: Mapping[str, str]) -> list[str]:
    """The columns of the file from which nothing is read."""
    return [name for name in dict.fromkeys(header) if name and name not in mapping.values()]


_OF_ITEMS = ("items", "stock", "suppliers")  # kinds of which a file has one row for each item


def other_readings(header: Sequence[str], kind: str, names: Sequence[str]) -> dict[str, list[str]]:
    """What some columns of a file would mean to other kinds, as whose the same file could be sent again."""
    if kind not in _OF_ITEMS:
        return {}
    guesses = {other: guess(header, other) for other in _OF_ITEMS if other != kind}
    found = {other: [name for name in names if name in mapping.values()] for other, mapping in guesses.items()
             if all(column.name in mapping for column in COLUMNS[other] if column.is_required)}
    return {other: given for other, given in found.items() if given}


def kind_of(header: Sequence[str]) -> str | None:
    """What a file most likely holds: it has what such files need, and a sign of them alone; None where in doubt."""
    known = format_of(header)
    if known is not None:
        return known.kind
    fitting = []
    for kind, columns in COLUMNS.items():
        mapping = guess(header, kind)
        has_all = all(column.name in mapping for column in columns if column.is_required)
        if has_all and _is_telling(kind, mapping, header):
            fitting.append((len(mapping), kind))
    fitting.sort(reverse=True)
    if not fitting or (len(fitting) > 1 and fitting[0][0] == fitting[1][0]):
        return None
    return fitting[0][1]


def _names(kind: str, name: str) -> set[str]:
    """What a canonical column of a kind is called."""
    return {plain(each) for column in COLUMNS[kind] if column.name == name for each in (name, *column.names)}


def _is_telling(kind: str, mapping: Mapping[str, str], header: Sequence[str]) -> bool:
    """Whether the columns say more than that there is a SKU and some number or date beside it."""
    if kind == "orders":
        return "order_id" in mapping or plain(mapping["quantity"]) not in _names("stock", "on_hand")
    if kind == "items":
        return bool(mapping.keys() & {"category", "brand", "unit_cost", "price"}) or (
            "title" in mapping and len(mapping) == sum(bool(name) for name in header))
    if kind == "stock":
        return plain(mapping["on_hand"]) not in _names("orders", "quantity")
    if kind == "suppliers":
        return plain(mapping["supplier"]) not in _names("items", "brand") or bool(
            mapping.keys() - {"supplier", "sku", "unit_cost", "currency"})
    if kind == "promotions":
        return "kind" in mapping or plain(mapping["starts_on"]) not in _PLACES
    return True


_PLACES = {"from", "von", "van", "du", "desde"}  # of a transfer, too


def check_mapping(header: Sequence[str], kind: str, mapping: Mapping[str, str]) -> None:
    """FileRefused where a needed column is missing, doubled, or named in the mapping and not in the file."""
    if kind not in COLUMNS:
        raise FileRefused(_("It is not clear what this file holds: say whether it is order lines, items, stock, "
                            "suppliers or promotions. Its columns are: %(header)s.")
                          % {"header": ", ".join(name for name in header if name)[:600]})
    known = {column.name: column for column in COLUMNS[kind]}
    for canonical, name in mapping.items():
        if canonical not in known and canonical not in EXTRA:
            raise FileRefused(_("There is no column “%(name)s” to map to: a file of %(kind)s has %(names)s.")
                              % {"name": canonical, "kind": kind, "names": ", ".join(known)})
        if name not in header:
            raise FileRefused(_("The file has no column “%(name)s”.") % {"name": name})
        if list(header).count(name) > 1:
            raise FileRefused(_("Two columns are called “%(name)s”: rename one of them, so that it is clear which is "
                                "meant.") % {"name": name})
    missing = [column for column in COLUMNS[kind] if column.is_required and column.name not in mapping
               and not (column.name == "sku" and "title" in mapping)]
    if missing:
        raise FileRefused(_("The column for “%(names)s” is missing; the file has: %(header)s.") % {
            "names": "”, “".join(str(column.title) for column in missing),
            "header": ", ".join(name for name in header if name)[:600]})


def told_by(mapping: Mapping[str, str], options: Mapping[str, str]) -> dict[str, str]:
    """The columns that tell one order line from another: lines that are told otherwise are other lines.

    Rows without an order's number are told by what they say, so by how that is read too.
    """
    names = ["order_id", "line_id", "channel", "sku"]
    if "sku" not in mapping:
        names.append("title")
    if "order_id" in mapping:
        return {name: mapping[name] for name in names if name in mapping}
    names += ["occurred_at", "quantity", "location"]
    return {**{name: mapping[name] for name in names if name in mapping},
            **{f"option {name}": options.get(name, "") for name in ("dates", "numbers")}}


def values_of(kind: str, mapping: Iterable[str]) -> dict[str, str]:
    """What the values of each mapped column are."""
    values = {column.name: column.value for column in COLUMNS[kind]}
    return {name: values.get(name) or EXTRA[name] for name in mapping}
