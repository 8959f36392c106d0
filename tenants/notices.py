"""What tenants are told. An app declares its kinds of notice and posts them where they happen."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias
from uuid import UUID

from django.db import connection
from django.utils.functional import Promise

from common.ids import uuid7
from common.nudge import after_commit

# A notice holds no binary fractions: money and quantities are written as strings.
JSON: TypeAlias = None | bool | int | str | Sequence["JSON"] | Mapping[str, "JSON"]

READERS = ("owner", "admin", "finance")


def _as_it_is(detail: Mapping[str, JSON]) -> Mapping[str, JSON]:
    return detail


@dataclass(frozen=True)
class Kind:
    """One kind of notice: its code, which webhooks call the event type, and its sentences.

    Shape: ``code`` is "noun.verb", the verb in the past ("invoice.issued"); the placeholders of
    ``title`` and ``body``, as ``%(number)s``, are names in the notice's detail, or in what
    ``worded`` makes of it in the active language: a program reads codes and base units, a person
    reads words.
    """

    code: str
    title: str | Promise
    body: str | Promise
    worded: Callable[[Mapping[str, JSON]], Mapping[str, JSON]] = _as_it_is


class UndeclaredKind(LookupError):
    """A notice of a kind that no app declared: a programming error, never a refusal."""


_declared: dict[str, Kind] = {}


def declare(kind: Kind) -> Kind:
    """Declare a kind; declaring the same one twice is harmless, two under one code is not."""
    known = _declared.setdefault(kind.code, kind)
    if known != kind:
        raise ValueError(f"Two kinds of notice are declared as {kind.code}.")
    return known


def declared() -> Mapping[str, Kind]:
    """Every kind by its code."""
    return MappingProxyType(_declared)


def title_of(kind: str, detail: Mapping[str, JSON]) -> str:
    """The notice's one line in the active language; the code of a kind no longer declared."""
    known = _declared.get(kind)
    return kind if known is None else str(known.title) % known.worded(detail)


def body_of(kind: str, detail: Mapping[str, JSON]) -> str:
    """The notice's sentences in the active language; nothing for a kind no longer declared."""
    known = _declared.get(kind)
    return "" if known is None else str(known.body) % known.worded(detail)


# Beside a session that posts the same, one of both writes nothing, and its count says so.
POST = """
INSERT INTO tenants_notice (id, tenant_id, kind, key, detail, roles, at)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


def post(
    *,
    tenant_id: UUID,
    kind: str,
    key: str,
    detail: Mapping[str, JSON],
    now: datetime,
    roles: Collection[str] = READERS,
) -> bool:
    """Tell a tenant something, in the caller's transaction; False where it was told already.

    Idempotent: by (tenant, key), also beside another session that posts the same at this moment.
    Raises: UndeclaredKind; KeyError when the kind's sentences speak of what ``detail`` lacks.
    """
    known = _declared.get(kind)
    if known is None:
        raise UndeclaredKind(kind)
    # Said once for nothing, so that a missing placeholder fails here and not in a worker.
    for sentence in (known.title, known.body):
        _ = str(sentence) % known.worded(detail)
    notice_id = uuid7()
    with connection.cursor() as cursor:
        cursor.execute(
            POST, [notice_id, tenant_id, kind, key, json.dumps(detail), sorted(roles), now]
        )
        is_new = bool(cursor.rowcount)
    if is_new:
        after_commit("tenants.spread_notice", notice_id=notice_id)
    return is_new
