"""What other systems call our columns and tables: the whole vocabulary of ``connect``.

Lower case, words separated by spaces, the likeliest first. German, French and Spanish words stand
with the English ones. Add yours here.
"""

from __future__ import annotations

SKU = (
    "sku", "stock code", "stockcode", "item code", "item number", "item no", "article number",
    "article no", "product code", "product number", "part number", "part no", "material number",
    "artikelnummer", "artikel nummer", "artikelnr", "artikel nr", "artnr", "art nr",
    "reference", "reference produit", "codigo producto", "codigo articulo", "codigo",
    "default code",
    "ean", "gtin", "asin", "barcode", "product id", "item id", "article id", "artikel id", "code",
)  # fmt: skip
_PRICE = (
    "unit price", "price unit", "price", "sale price", "selling price", "sales price", "list price",
    "retail price", "net price", "price each", "base price", "rate", "einzelpreis", "stueckpreis",
    "verkaufspreis", "vk preis", "vk netto", "vk", "preis", "netto preis", "prix unitaire", "prix",
    "precio unitario", "precio",
)  # fmt: skip
_UNITS = (
    "units", "quantity", "qty", "qty ordered", "quantity ordered", "order qty", "product uom qty",
    "product qty", "pieces", "count", "amount", "menge", "anzahl", "stueck", "bestellmenge",
    "quantite", "cantidad",
)  # fmt: skip

COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "products": {
        "sku": SKU,
        "name": (
            "name", "product name", "item name", "title", "description", "label", "bezeichnung",
            "artikelbezeichnung", "artikelname", "beschreibung", "designation", "libelle", "nom",
            "nombre", "descripcion",
        ),
        "category": (
            "category", "category name", "product category", "product group", "group", "department",
            "product type", "warengruppe bezeichnung", "warengruppe", "artikelgruppe",
            "kategorie", "categorie", "famille",
            "categoria", "familia",
        ),
        "unit_price": _PRICE,
        "unit_cost": (
            "unit cost", "cost", "cost price", "standard cost", "standard price", "purchase price",
            "buying price", "einkaufspreis", "ek preis", "ek netto", "ek", "einstandspreis",
            "prix achat", "cout", "coste", "costo", "precio compra",
        ),
    },
    "stock": {
        "sku": SKU,
        "on_hand": (
            "on hand", "qty on hand", "quantity on hand", "stock on hand", "stock", "stock level",
            "level", "stock quantity", "in stock", "available", "quantity available", "qty",
            "quantity", "balance", "bestand", "lagerbestand", "menge", "verfuegbar", "quantite",
            "existencias", "cantidad",
        ),
        "updated_at": (
            "updated at", "last updated", "modified at", "last modified", "changed at",
            "write date",
            "as of", "counted at", "geaendert am", "stand", "stichtag", "aktualisiert am",
        ),
    },
    "sale_lines": {
        "order_id": (
            "order id", "order number", "order no", "invoice", "invoice no", "invoice number",
            "invoice id", "sale id", "sales order", "transaction id", "receipt id",
            "receipt number",
            "basket id", "document number", "auftrag id", "auftragsnummer", "auftrag nr",
            "bestellnummer", "belegnummer", "beleg nr", "beleg id", "rechnungsnummer",
            "numero commande", "commande id", "pedido id", "numero pedido", "factura",
        ),
        "sku": SKU,
        "sold_at": (
            "sold at", "sold on", "sale date", "order date", "date order", "ordered at",
            "invoice date",
            "transaction date", "posting date", "created at", "placed at", "date", "timestamp",
            "verkauft am", "verkaufsdatum", "auftragsdatum", "bestelldatum", "belegdatum",
            "rechnungsdatum", "datum", "date commande", "date vente", "fecha venta", "fecha pedido",
            "fecha",
        ),
        "units": _UNITS,
        "unit_price": _PRICE,
    },
    "open_orders": {
        "order_id": (
            "order id", "purchase order", "purchase order id", "purchase order number", "po number",
            "po id", "po no", "order number", "order no", "document number", "bestellnummer",
            "bestell nr", "bestellung id", "belegnummer", "commande id", "pedido id",
        ),
        "supplier": (
            "supplier", "supplier name", "vendor", "vendor name", "supplier code",
            "partner name", "partner",
            "lieferant name", "lieferant", "lieferantenname", "kreditor",
            "fournisseur", "proveedor", "supplier id",
            "vendor id", "lieferant id",
        ),
        "sku": SKU,
        "units": _UNITS,
        "ordered_at": (
            "ordered at", "ordered on", "order date", "date order", "purchase date", "created at",
            "placed at", "issued at", "bestelldatum", "bestellt am", "belegdatum", "datum", "date",
            "date commande", "fecha pedido", "fecha",
        ),
        "expected_at": (
            "expected at", "expected date", "expected on", "due date", "due at", "eta",
            "delivery date", "planned date", "date planned", "promised date", "arrival date",
            "liefertermin", "lieferdatum", "erwartet am", "termin", "date livraison",
            "fecha entrega",
        ),
    },
}  # fmt: skip
"""Frame to our column to the names it goes by."""

TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "products": (
        ("product", "item", "article", "artikel", "sku", "catalog", "catalogue", "material",
         "produit", "producto", "articulo"),
        ("category", "order", "sale", "line", "price", "stock", "inventory", "supplier", "offer",
         "position", "image", "review", "bestand"),
    ),
    "stock": (
        ("stock", "inventory", "on hand", "level", "quant", "warehouse", "bin", "bestand", "lager",
         "lagerbestand", "existencia", "inventario"),
        ("order", "sale", "movement", "history", "line", "bewegung"),
    ),
    "sale_lines": (
        ("sale", "sales", "order", "line", "item", "detail", "transaction", "invoice", "position",
         "verkauf", "auftrag", "auftragsposition", "beleg", "rechnung", "pos", "vente", "venta",
         "pedido", "commande", "ligne", "linea"),
        ("purchase", "po", "supplier", "vendor", "einkauf", "bestellung", "lieferant",
         "procurement", "return", "quote", "achat", "compra", "bestellposition", "cart"),
    ),
    "open_orders": (
        ("purchase", "po", "open", "supplier", "vendor", "order", "line", "procurement", "einkauf",
         "bestellung", "bestellposition", "lieferung", "position", "achat", "compra"),
        ("sale", "sales", "customer", "verkauf", "kunde", "auftrag", "invoice", "vente", "venta"),
    ),
}  # fmt: skip
"""Frame to the words that speak for a table, and the words that speak against it."""

ARRIVED = (
    "received at", "received on", "received date", "receipt date", "delivered at", "delivered on",
    "arrived at", "closed at", "completed at", "date done", "wareneingang", "wareneingang am",
    "eingang am", "eingegangen am", "geliefert am", "erledigt am", "date reception",
    "fecha recepcion",
)  # fmt: skip
"""Columns that stay empty until a purchase order has arrived."""

STATUS = ("status", "state", "order status", "zustand", "statut", "etat", "estado")
"""Columns that say where an order stands."""

CURRENCY = ("currency", "waehrung", "devise", "moneda", "divisa", "valuta", "iso4217")
"""Words of columns that say what money an amount is in."""

OPEN_WORDS = frozenset({
    "open", "ordered", "placed", "sent", "confirmed", "pending", "partial", "partially received",
    "in transit", "shipped", "purchase", "approved", "offen", "bestellt", "bestaetigt", "unterwegs",
    "teilgeliefert", "ouvert", "commande", "abierto", "pendiente", "enviado",
})  # fmt: skip
"""States of a purchase order that has not arrived."""

VOID_WORDS = frozenset({
    "cancelled", "canceled", "cancel", "void", "voided", "draft", "quote", "failed", "rejected",
    "storniert", "storno", "entwurf", "angebot", "abgelehnt", "annule", "brouillon", "anulado",
    "cancelado", "borrador",
})  # fmt: skip
"""States of a sales order that never became a sale."""
