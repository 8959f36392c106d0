"""What people may call things: refused here, before the database refuses it less kindly."""

import re
import unicodedata
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from common.errors import FieldError, InvalidInput
from tenants.models.organisation import CODE_PATTERN

NAME_LENGTH = 100
EMAIL_LENGTH = 254


def clean_text(value: str, *, pointer: str, limit: int = NAME_LENGTH, required: bool = True) -> str:
    """Trimmed text of at most ``limit`` characters, without control characters.

    Raises: InvalidInput naming ``pointer``.
    """
    text = unicodedata.normalize("NFC", value).strip()
    if required and not text:
        raise InvalidInput(errors=[FieldError(pointer, "required", _("This must not be empty."))])
    if len(text) > limit:
        raise InvalidInput(errors=[FieldError(pointer, "too_long", _("This text is too long."))])
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        detail = _("Control characters are not allowed.")
        raise InvalidInput(errors=[FieldError(pointer, "control_character", detail)])
    return text


def clean_code(value: str, *, pointer: str = "/code") -> str:
    """A code for addresses: lower-case letters, digits, hyphens, at most 40.

    Raises: InvalidInput naming ``pointer``.
    """
    if not re.fullmatch(CODE_PATTERN, value):
        detail = _("Use lower-case letters, digits and hyphens.")
        raise InvalidInput(errors=[FieldError(pointer, "invalid_code", detail)])
    return value


def clean_email(value: str, *, pointer: str = "/email") -> str:
    """A mail address in lower case.

    Raises: InvalidInput naming ``pointer``.
    """
    address = value.strip().lower()
    try:
        validate_email(address)
    except ValidationError as error:
        detail = _("This is not a mail address.")
        raise InvalidInput(errors=[FieldError(pointer, "invalid_email", detail)]) from error
    if len(address) > EMAIL_LENGTH:
        raise InvalidInput(errors=[FieldError(pointer, "too_long", _("This text is too long."))])
    return address


def clean_future(value: datetime, *, now: datetime, pointer: str) -> datetime:
    """An instant that is still to come.

    Raises: InvalidInput naming ``pointer``.
    """
    if value <= now:
        detail = _("This time has passed.")
        raise InvalidInput(errors=[FieldError(pointer, "in_the_past", detail)])
    return value
