"""The signature of Standard Webhooks 1.0: what a receiver checks before it believes a message."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret a receiver verifies with: 32 random bytes, written as the standard wants."""
    return PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def signature(*, secret: str, message_id: str, at: datetime, body: bytes) -> str:
    """One signature: ``v1,`` and the HMAC-SHA256 over id, whole seconds and body.

    Raises: ValueError for a secret that is not one.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("not a webhook secret") from error
    signed = b".".join((message_id.encode(), str(int(at.timestamp())).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers(
    *, secrets: Sequence[str], message_id: str, at: datetime, body: bytes
) -> dict[str, str]:
    """The three headers; a signature for each secret, so that a receiver may know either."""
    made = [signature(secret=one, message_id=message_id, at=at, body=body) for one in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(made),
    }
