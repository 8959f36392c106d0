"""Secrets at rest: sealed with a key made from SECRET_KEY, opened with the older ones too."""

import base64
import hashlib

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def seal(plain: bytes) -> bytes:
    """Encrypt and authenticate, under the current SECRET_KEY."""
    return _box().encrypt(plain)


def unseal(sealed: bytes) -> bytes:
    """What was sealed under SECRET_KEY or one of SECRET_KEY_FALLBACKS.

    Raises: cryptography.fernet.InvalidToken when none of them fits.
    """
    return _box().decrypt(sealed)


def _box() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    digest = hashlib.sha256(b"tenants.sealing:" + key.encode()).digest()
    return base64.urlsafe_b64encode(digest)
