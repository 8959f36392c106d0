"""The Idempotency-Key of a POST: required, bounded, and one answer for as often as it is sent."""

import hashlib
import re

from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from common.errors import DomainError

HEADER = "Idempotency-Key"
_FORM = re.compile(r"[\x21-\x7e]{1,255}")


class KeyRequired(DomainError):
    """A POST without a key could not be repeated safely."""

    code = "idempotency_key_required"
    status = 400
    message = _("Send an Idempotency-Key header of 1 to 255 printable ASCII characters.")


def key_of(request: Request) -> str:
    """The request's key. Raises: KeyRequired when it is missing or malformed."""
    key = request.headers.get(HEADER, "")
    if not _FORM.fullmatch(key):
        raise KeyRequired
    return key


def hash_of(request: Request) -> bytes:
    """The body as it was sent; read before parsing, which consumes it."""
    # DRF keeps Django's own request here; only that one remembers a body once read.
    return hashlib.sha256(request._request.body).digest()
