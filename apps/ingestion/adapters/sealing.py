"""Keeping a short secret unreadable at rest, and noticing when it was touched: Fernet, under a key of our own."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken


class NotOurs(ValueError):
    """The sealed text was made under another key, or was touched."""


def seal(key: bytes, text: str) -> str:
    """The text as nobody without the key can read or change it."""
    return _fernet(key).encrypt(text.encode()).decode()


def unseal(key: bytes, sealed: str) -> str:
    """The text that was sealed under this key; NotOurs for any other."""
    try:
        return _fernet(key).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise NotOurs("The secret was sealed under another key, or was touched.") from None


def _fernet(key: bytes) -> Fernet:
    # Keys are derived by the caller from a long random secret: one hash gives them Fernet's length.
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key).digest()))
