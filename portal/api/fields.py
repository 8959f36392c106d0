"""Strict input: what is not said in the document is refused, and nothing is guessed."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from django.utils.dateparse import parse_datetime
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

BIGGEST_INTEGER = 2**63 - 1
_OFFSET = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)$")
_DECIMAL = re.compile(r"^-?\d{1,20}(?:\.\d{1,15})?$")


# DRF's serializers are generic over an instance type that input never has.
class Strict(serializers.Serializer[Any]):
    """A body or a query whose unknown members are refused instead of ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in set(data) - set(self.fields))
            if unknown:
                detail = ErrorDetail(str(_("This field does not exist.")), code="unknown_field")
                raise serializers.ValidationError({name: [detail] for name in unknown[:20]})
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A string as a string, of bounded length, without control characters or half surrogates."""

    default_error_messages = {
        "not_text": _("This must be a string."),
        "control_character": _("Control characters are not allowed."),
    }

    def __init__(self, *, max_length: int = 100, **options: Any) -> None:
        super().__init__(max_length=max_length, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in data):
            self.fail("control_character")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """An integer as a JSON integer: no strings, no fractions, no booleans."""

    default_error_messages = {"not_integer": _("This must be a whole number.")}

    def __init__(
        self, *, min_value: int = 0, max_value: int = BIGGEST_INTEGER, **options: Any
    ) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **options)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("not_integer")
        return super().to_internal_value(data)


class QueryWhole(serializers.IntegerField):
    """An integer in an address: a string of digits."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"\d{1,19}", str(data), re.ASCII):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(
    {"type": "string", "pattern": r"^-?\d{1,20}(\.\d{1,15})?$", "example": "12.50"}
)
class Amount(serializers.Field[Decimal, Any, str, Any]):
    """A decimal number as a string, so that no reader turns it into a binary fraction."""

    default_error_messages = {
        "not_decimal": _('This must be a decimal number in a string, such as "12.50".'),
        "too_small": _("This number is too small."),
    }

    def __init__(self, *, minimum: Decimal | None = None, **options: Any) -> None:
        self.minimum = minimum
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not re.fullmatch(_DECIMAL, data):
            self.fail("not_decimal")
        number = Decimal(data)
        if self.minimum is not None and number < self.minimum:
            self.fail("too_small")
        return number

    def to_representation(self, value: Decimal) -> str:
        return format(value, "f")


class Instant(serializers.DateTimeField):
    """RFC 3339 with its offset; a time without one is refused, not guessed. Given out in UTC."""

    default_error_messages = {
        "no_offset": _('This must be a time with its offset, such as "2026-01-31T08:00:00Z".')
    }

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str) or not re.fullmatch(_OFFSET, value):
            self.fail("no_offset")
        try:
            instant = parse_datetime(value)
        except ValueError:
            self.fail("no_offset")
        if instant is None:
            self.fail("no_offset")
        try:
            return instant.astimezone(UTC)
        except OverflowError:
            self.fail("no_offset")

    def to_representation(self, value: Any) -> str:
        text: str = value.astimezone(UTC).isoformat(timespec="microseconds")
        return text.replace(".000000", "").replace("+00:00", "Z")

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        super().fail(key, **kwargs)
        raise AssertionError("fail always raises")


class Identifier(serializers.UUIDField):
    """A UUID in its usual form with hyphens."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or len(data) != 36:
            self.fail("invalid", value=str(data)[:40])
        return super().to_internal_value(data)


class Money(Amount):
    """An amount with two places, and more only where they are not zero."""

    def to_representation(self, value: Decimal) -> str:
        whole, _point, places = format(value, "f").partition(".")
        return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


class QueryAmount(Amount):
    """A decimal number in an address, never negative."""

    def __init__(self, **options: Any) -> None:
        super().__init__(minimum=Decimal(0), **options)


class InLanguage(serializers.CharField):
    """``<stem>_zh`` or ``<stem>_en`` of the thing, whichever the request asked for."""

    def __init__(self, stem: str, **options: Any) -> None:
        self.stem = stem
        super().__init__(**{"source": "*", **options})

    def to_representation(self, value: Any) -> str:
        ending = "zh" if (get_language() or "en").startswith("zh") else "en"
        return str(getattr(value, f"{self.stem}_{ending}"))


@extend_schema_field({"type": "string"})
class Spoken(serializers.Field[Any, Any, str, Any]):
    """A sentence that is translated when it is said."""

    def to_representation(self, value: Any) -> str:
        return str(value)


def refuse_reversed(given: Mapping[str, Any], start: str, end: str) -> None:
    """A period ends after it starts. Raises: ValidationError at the end's name."""
    if given[end] <= given[start]:
        detail = ErrorDetail(str(_("The end must lie after the start.")), code="period_reversed")
        raise serializers.ValidationError({end: [detail]})
