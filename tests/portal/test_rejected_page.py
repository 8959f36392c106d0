"""The page of usage that was not counted."""

from datetime import timedelta

from billing.commands.usage import record_usage
from billing.usage import UsageEvent
from common.clock import utc_now
from tenants.permissions import SYSTEM
from tenants.scoping import tenant_scope
from tests.factories.console import Console
from tests.portal.consoles import alice, furnished

__all__ = ["alice", "furnished"]


def test_what_a_refused_event_said_is_told_name_by_name(alice: Console) -> None:
    now = utc_now()
    future = UsageEvent(
        source="desk",
        id="from-tomorrow",
        meter="appliances.tokens_in",
        subject="d1",
        at=now + timedelta(days=1),
        quantity=7,
        dimensions={"model": "聊天", "deployment": "d1", "key": ""},
    )
    with tenant_scope(alice.id):
        (result,) = record_usage(actor=SYSTEM, tenant_id=alice.id, events=[future], now=now)
    page = alice.client().get(alice.path("usage/rejected/?source=desk")).content.decode()
    assert (result.status, result.code) == ("rejected", "in_future")
    assert "from-tomorrow" in page
    assert "The time lies in the future." in page
    assert "dimensions.model: 聊天" in page
    assert "dimensions.key" not in page
    assert "{&#x27;" not in page
