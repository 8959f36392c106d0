"""Keeping what was not counted, for its sender to see."""

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from billing.models import RejectedEvent
from billing.usage import LONGEST_ID, LONGEST_SOURCE

# Half of a surrogate pair as JSON writes it; PostgreSQL refuses such text.
_HALF_CHARACTER = re.compile(r"\\ud[89a-f][0-9a-f]{2}", re.IGNORECASE)


class Refused(NamedTuple):
    """What was refused, under the name it gave itself, with the code of the reason."""

    source: object
    id: object
    code: str
    said: object


def keep_rejected(tenant_id: UUID, refused: Iterable[Refused], now: datetime) -> int:
    """Write what was refused as far as it can be written at all; gives how many there were."""
    rows = [
        RejectedEvent(
            tenant_id=tenant_id,
            source=_printable(one.source)[:LONGEST_SOURCE],
            event_id=_printable(one.id)[:LONGEST_ID],
            code=one.code,
            payload=json.loads(_printable(json.dumps(one.said, default=str))),
            received_at=now,
        )
        for one in refused
    ]
    if rows:
        RejectedEvent.objects.bulk_create(rows)
    return len(rows)


def _printable(value: object) -> str:
    """Text that PostgreSQL stores: no NUL, spelled out or as JSON writes it, no half characters."""
    text = str(value).replace("\0", "\N{REPLACEMENT CHARACTER}").replace("\\u0000", "\\ufffd")
    text = _HALF_CHARACTER.sub(r"\\ufffd", text)
    return text.encode("utf-8", "replace").decode()
