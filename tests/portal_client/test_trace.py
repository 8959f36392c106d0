"""A public trace of model calls, reported through the client: every event counted once.

Reads a public trace, kept outside the repository: run it with
``PORTAL_TRACES=/path/to/traces pytest -m trace``. Without the folder it is left out, and says so.
Source: Azure LLM inference trace 2023 (Splitwise), Microsoft Azure Public Dataset.
"""

from collections import Counter
from datetime import timedelta

import pytest

from common.clock import utc_now
from portal_client import Client
from tests.portal.test_api_trace import FOLDER, METERS, as_events, calls

CALLS = 8_819


@pytest.mark.trace
def test_a_trace_is_sent_once_however_often_it_is_sent(client: Client) -> None:
    assert FOLDER, "PORTAL_TRACES must name the folder of the traces"
    rows = calls()
    assert len(rows) == CALLS
    events = as_events(rows, utc_now() - timedelta(hours=3))

    first = Counter(result.status for result in client.send_events(events))
    again = Counter(result.status for result in client.send_events(events[::7]))

    assert first == {"accepted": 2 * CALLS}
    assert again == {"duplicate": len(events[::7])}
    counted = {row.meter: row.quantity for row in client.usage.list_summary(group_by="meter")}
    assert counted == {
        meter: sum(int(row[column]) for row in rows) for column, meter in METERS.items()
    }
