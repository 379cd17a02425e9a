"""What brings data in: files, connected shops, deliveries."""

from apps.ingestion.adapters.dialects import FileRefused
from apps.ingestion.adapters.shopify import NotUnderstood
from apps.ingestion.services.applying import apply_file
from apps.ingestion.services.batches import KeyReused, receive_batch
from apps.ingestion.services.connections import (
    apply_delivery,
    connect_shopify,
    disconnect,
    record_delivery,
    reject_delivery,
    signed_by,
)
from apps.ingestion.services.corrections import NotCorrected, correct_sale
from apps.ingestion.services.files import change_kind, confirm_file, give_file_back, note_state, store_file
from apps.ingestion.services.settling import set_rows_aside

__all__ = [
    "FileRefused",
    "KeyReused",
    "NotCorrected",
    "NotUnderstood",
    "apply_delivery",
    "apply_file",
    "change_kind",
    "confirm_file",
    "connect_shopify",
    "correct_sale",
    "disconnect",
    "give_file_back",
    "note_state",
    "receive_batch",
    "record_delivery",
    "reject_delivery",
    "set_rows_aside",
    "signed_by",
    "store_file",
]
