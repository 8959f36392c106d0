"""JSON and typed values: exact both ways, and refused by name where they differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from portal_client.encoding import UNSET, Unset, decode, encode
from portal_client.errors import UnexpectedAnswer

ID = "01994d1e-6f0a-7c3b-b2d5-f0a1c2e3d4f5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    share: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    id: UUID
    at: datetime
    day: date | None
    from_: int
    is_late: bool
    parts: tuple[Part, ...]
    told: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    name: str
    note: str | None = None
    limit: int | None | Unset = UNSET


SAID = {
    "id": ID,
    "at": "2026-11-22T08:00:00.123456Z",
    "day": "2026-11-22",
    "from": 7,
    "is_late": False,
    "parts": [{"name": "a", "share": "0.10"}, {"name": "b", "share": None}],
    "told": {"x": [1, {"y": None}]},
}


def test_an_answer_becomes_exact_values_and_new_members_are_passed_over() -> None:
    whole = decode(Whole, {**SAID, "new_in_version_2": True})
    assert whole == Whole(
        id=UUID(ID),
        at=datetime(2026, 11, 22, 8, 0, 0, 123456, tzinfo=UTC),
        day=date(2026, 11, 22),
        from_=7,
        is_late=False,
        parts=(Part(name="a", share=Decimal("0.10")), Part(name="b", share=None)),
        told={"x": [1, {"y": None}]},
    )
    assert str(whole.parts[0].share) == "0.10"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"at": "2026-11-22T08:00:00"}, "/at is not a time with its offset."),
        ({"at": None}, "/at is not a string."),
        ({"from": "7"}, "/from is not a whole number."),
        ({"from": True}, "/from is not a whole number."),
        ({"is_late": 0}, "/is_late is not true or false."),
        ({"id": "7"}, "/id is not a UUID."),
        (
            {"parts": [{"name": "a", "share": 0.1}]},
            "/parts/0/share is not a decimal number in a string.",
        ),
        ({"parts": [{"name": "a"}]}, "/parts/0/share is not there."),
        ({"parts": {}}, "/parts is not a list."),
        ({"told": []}, "/told is not an object."),
    ],
)
def test_an_answer_of_another_shape_is_refused_by_the_member_s_name(
    change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UnexpectedAnswer) as strange:
        decode(Whole, {**SAID, **change})
    assert str(strange.value).endswith(sentence)


def test_what_is_sent_is_exact_and_what_is_not_given_is_left_out() -> None:
    assert encode(Asked(name="a")) == {"name": "a"}
    assert encode(Asked(name="a", note="n", limit=None)) == {
        "name": "a",
        "note": "n",
        "limit": None,
    }
    assert encode(Decimal("1E+3")) == "1000"
    east = timezone(timedelta(hours=8))
    assert encode(datetime(2026, 11, 22, 16, tzinfo=east)) == "2026-11-22T08:00:00Z"
    assert encode({"a": (UUID(ID), date(2026, 1, 2), UNSET), "b": UNSET}["a"][:2]) == [
        ID,
        "2026-01-02",
    ]


def test_a_time_without_an_offset_and_a_binary_fraction_are_not_sent() -> None:
    with pytest.raises(ValueError, match="offset"):
        encode(datetime(2026, 11, 22))  # noqa: DTZ001 - what is refused
    with pytest.raises(TypeError, match="float"):
        encode({"amount": 0.1})
