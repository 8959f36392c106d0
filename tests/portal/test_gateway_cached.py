"""Tokens from a model's cache: counted apart where they have a price of their own, to the fen."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing.queries.drafts import draft
from common.clock import utc_now
from portal.gateway.counting import StreamCount, Tokens, reported
from portal.gateway.domain import bill, take_snapshot
from portal.gateway.money import CallPrice
from portal.gateway.money_file import dumped, parsed
from portal.gateway.runtime import Runtime
from portal.gateway.server import Gateway
from portal.gateway.spool import CallRecord
from tenants.scoping import tenant_scope
from tests.factories.appliances import Customer, catalogue_on_sale, customer, pool
from tests.factories.gateway import (
    ALICE,
    CHAT,
    KEY,
    call,
    chat,
    gateway_with,
    grant,
    snapshot,
    spooled,
    target,
)
from tests.model_server import StubModel, completion
from tests.portal.test_gateway_domain import counted, ready, record

D = Decimal
DEARER = CallPrice(D("0.01"), D("0.04"), D("0.0106"), D("0.0424"))
PRICED = replace(DEARER, net_cached=D("0.002"), gross_cached=D("0.00212"))
TENANT = ("tenant", ALICE)


@pytest.mark.parametrize(
    ("details", "cached"),
    [
        ({"cached_tokens": 5}, 5),
        ({"cached_tokens": 7}, 7),
        ({"cached_tokens": 8}, 0),
        ({"cached_tokens": -1}, 0),
        ({"cached_tokens": "5"}, 0),
        ({"cached_tokens": True}, 0),
        ({}, 0),
        ([], 0),
        (None, 0),
    ],
)
def test_the_cached_ones_of_the_tokens_in_are_read_and_nonsense_is_not_believed(
    details: object, cached: int
) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": details}
    assert reported(usage) == Tokens(7, 2, reported=True, tokens_cached=cached)
    count = StreamCount(client_wants_usage=False)
    count.feed(f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode())
    assert count.tokens(0).tokens_cached == cached


def served(
    folder: Path, price: CallPrice, scenario: Callable[[Gateway, Runtime], Awaitable[None]]
) -> None:
    """A scenario with one model whose answers took five of seven tokens from the cache."""

    async def run() -> None:
        answer = completion("Hello there")
        usage: Any = answer["usage"]
        usage["prompt_tokens_details"] = {"cached_tokens": 5}
        model = StubModel(answer=answer)
        server = await model.start()
        here = target("m", model.endpoint)
        given = replace(snapshot({KEY: grant()}, [here]), prices={here.deployment_id: price})
        gateway, runtime = gateway_with(folder, given)
        try:
            await scenario(gateway, runtime)
        finally:
            await gateway.stop()
            server.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("price", "cached", "held"),
    # 2 fresh, 5 cached and 2 out; without a price of their own the 5 are like the 2.
    [(PRICED, 5, D("0.110")), (DEARER, 0, D("0.15"))],
)
def test_a_call_is_recorded_and_held_for_as_it_will_be_billed(
    tmp_path: Path, price: CallPrice, cached: int, held: Decimal
) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime) -> None:
        assert (await call(gateway, CHAT, chat())).status == 200
        assert runtime.holds.outstanding(TENANT) == held
        (made,) = spooled(runtime)
        assert (made.tokens_in, made.tokens_out, made.tokens_cached) == (7, 2, cached)

    served(tmp_path, price, scenario)


@pytest.mark.parametrize("price", [PRICED, DEARER])
def test_prices_of_cached_tokens_outlive_the_gateway_in_its_file(price: CallPrice) -> None:
    deployment = target("m", "").deployment_id
    kept = json.loads(json.dumps(dumped({deployment: price}, {}, {})))
    assert parsed(kept).prices == {deployment: price}
    kept["prices"][str(deployment)] = kept["prices"][str(deployment)][:4]
    assert parsed(kept).prices == {deployment: DEARER}


def test_a_record_that_an_older_gateway_left_has_no_cached_tokens() -> None:
    here = target("m", "")
    made = CallRecord(
        id=here.deployment_id,
        at=utc_now(),
        tenant_id=here.tenant_id,
        project_id=here.project_id,
        key_id=here.project_id,
        deployment_id=here.deployment_id,
        model="m",
        tokens_in=7,
        tokens_out=2,
        reported=True,
        partial=False,
    )
    older = json.loads(made.line())
    del older["tokens_cached"]
    assert CallRecord.from_line(json.dumps(older).encode()) == made


@pytest.fixture
def alice(db: None) -> Customer:
    catalogue_on_sale()
    pool()
    return customer("alice")


@pytest.mark.django_db
def test_cached_tokens_are_charged_at_their_own_price_and_once(alice: Customer) -> None:
    made = ready(alice)
    calls = [
        record(made, tokens_in=3_000_000, tokens_cached=2_000_000, tokens_out=0),
        record(made, tokens_in=500_000, tokens_cached=500_000, tokens_out=250_000),
    ]
    assert bill(calls) == []
    assert bill(calls) == []
    assert counted() == {
        "appliances.tokens_in": 1_000_000,
        "appliances.tokens_cached": 2_500_000,
        "appliances.tokens_out": 250_000,
    }
    with tenant_scope(made.tenant_id):
        until = utc_now() + timedelta(hours=1)
        lines = draft(tenant_id=made.tenant_id, until=until).lines
    tokens = {line.price.meter: str(line.net) for line in lines if "tokens" in line.price.meter}
    # The shipped list: 1.00, 0.20 and 4.00 a million.
    assert tokens == {
        "appliances.tokens_in": "1.00",
        "appliances.tokens_cached": "0.50",
        "appliances.tokens_out": "1.00",
    }


@pytest.mark.django_db
def test_the_gateway_hears_what_cached_tokens_cost(alice: Customer) -> None:
    made = ready(alice)
    price = take_snapshot().prices[made.pk]
    assert (price.net_in, price.net_cached) == (D("0.000001"), D("0.0000002"))
    assert price.gross_cached == D("0.000000212")
