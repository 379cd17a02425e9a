"""What brings data in: files, connections, deliveries."""

from apps.ingestion.adapters.dialects import FileRefused
from apps.ingestion.services.applying import apply_file
from apps.ingestion.services.files import change_kind, confirm_file, note_state, store_file

__all__ = ["FileRefused", "apply_file", "change_kind", "confirm_file", "note_state", "store_file"]
