"""Webhooks as they come in: whether the portal sent them, and what they say.

Source: Standard Webhooks 1.0, symmetric signatures (``v1``).
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from portal_client.encoding import decode

PREFIX = "whsec_"
VERSION = "v1"
TOLERANCE = timedelta(minutes=5)


class BadSignature(Exception):
    """This did not come from the portal, or not now; the message says which part is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    type: str
    timestamp: datetime
    tenant_id: UUID
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A verified message; ``id`` is the same in every attempt and every resend of it."""

    id: str
    type: str
    timestamp: datetime
    tenant_id: UUID
    data: Mapping[str, object]


def verify(
    *,
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime | None = None,
    tolerance: timedelta = TOLERANCE,
) -> Message:
    """The message of a call, if it is genuine and of the present.

    Shape: ``body`` is the request's bytes as they came, before anything read them.
    Raises: BadSignature; UnexpectedAnswer where what is signed is not a message.
    """
    told = {name.lower(): value for name, value in headers.items()}
    identifier = told.get("webhook-id", "")
    stamp = told.get("webhook-timestamp", "")
    signatures = told.get("webhook-signature", "")
    if not (identifier and stamp and signatures):
        raise BadSignature("A webhook has an id, a timestamp and a signature.")
    _refuse_other_times(stamp, now or datetime.now(UTC), tolerance)
    signed = f"{identifier}.{stamp}.".encode() + body
    wanted = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    if not any(_is_same(given, wanted) for given in signatures.split()):
        raise BadSignature("No signature is of this secret.")
    try:
        said = json.loads(body)
    except ValueError as error:
        raise BadSignature("What is signed is not JSON.") from error
    read = decode(_Body, said)
    return Message(
        id=identifier,
        type=read.type,
        timestamp=read.timestamp,
        tenant_id=read.tenant_id,
        data=read.data,
    )


def _refuse_other_times(stamp: str, now: datetime, tolerance: timedelta) -> None:
    try:
        moment = datetime.fromtimestamp(int(stamp), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadSignature("The timestamp is not a number of seconds.") from error
    if abs(now - moment) > tolerance:
        raise BadSignature("The timestamp is too far from this machine's clock.")


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature("The secret is not one of the portal's.") from error


def _is_same(given: str, wanted: bytes) -> bool:
    """In constant time; signatures of other versions are passed over."""
    version, _comma, text = given.partition(",")
    if version != VERSION:
        return False
    try:
        return hmac.compare_digest(base64.b64decode(text, validate=True), wanted)
    except (binascii.Error, ValueError):
        return False
