"""Keeping a short secret unreadable at rest, and noticing when it was touched.

Encrypt, then authenticate: a stream of HMAC-SHA256 blocks over a random nonce and a counter (a pseudorandom function
in counter mode), then an HMAC under a second key over nonce and ciphertext. Both keys come from one by HMAC.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

VERSION = "v1"
NONCE_BYTES = 16
TAG_BYTES = 32


class NotOurs(ValueError):
    """The sealed text was made under another key, or was touched."""


def seal(key: bytes, text: str) -> str:
    """The text as nobody without the key can read or change it."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    plain = text.encode()
    hidden = _mix(plain, _derive(key, b"hide"), nonce)
    tag = hmac.digest(_derive(key, b"sign"), nonce + hidden, hashlib.sha256)
    return f"{VERSION}:{base64.urlsafe_b64encode(nonce + hidden + tag).decode()}"


def unseal(key: bytes, sealed: str) -> str:
    """The text that was sealed under this key; NotOurs for any other."""
    version, _colon, encoded = sealed.partition(":")
    raw = base64.urlsafe_b64decode(encoded) if version == VERSION else b""
    nonce, hidden, tag = raw[:NONCE_BYTES], raw[NONCE_BYTES:-TAG_BYTES], raw[-TAG_BYTES:]
    expected = hmac.digest(_derive(key, b"sign"), nonce + hidden, hashlib.sha256)
    if len(raw) < NONCE_BYTES + TAG_BYTES or not hmac.compare_digest(tag, expected):
        raise NotOurs("The secret was sealed under another key, or was touched.")
    return _mix(hidden, _derive(key, b"hide"), nonce).decode()


def _derive(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, purpose, hashlib.sha256)


def _mix(data: bytes, key: bytes, nonce: bytes) -> bytes:
    blocks = (len(data) + 31) // 32
    stream = b"".join(hmac.digest(key, nonce + block.to_bytes(8, "big"), hashlib.sha256) for block in range(blocks))
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))
