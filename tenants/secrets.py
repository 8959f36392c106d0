"""The form of an API key's secret: ``acp_<32 base62 characters>_<6 of checksum>``.

The checksum lets a scanner, and this product, tell a real key from a look-alike without a look-up.
Source of the form: GitHub's token format (github.blog, 2021-04-05).
"""

import hashlib
import re
import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
FORM = re.compile(r"acp_([0-9A-Za-z]{32})_([0-9A-Za-z]{6})")


def new_secret() -> str:
    """A fresh secret: 190 bits of chance."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(32))
    return f"acp_{body}_{_checksum(body)}"


def is_well_formed(secret: str) -> bool:
    """Whether this could be a key of ours at all."""
    match = FORM.fullmatch(secret)
    return match is not None and _checksum(match[1]) == match[2]


def fingerprint(secret: str) -> bytes:
    """What is stored in the secret's place; plain SHA-256 is enough for 190 bits of chance."""
    return hashlib.sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = ALPHABET[digit] + digits
    return digits
