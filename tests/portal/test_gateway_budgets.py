"""Budgets and funds at the gateway: what is in flight is held for, so nobody spends beyond."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest

from common.clock import utc_now
from portal.gateway import snapshot as snapshots
from portal.gateway.bounds import DEFAULT_OUTPUT_TOKENS, TEMPLATE_TOKENS, bound_of
from portal.gateway.errors import Refusal
from portal.gateway.holds import FUNDS, Bound, Holds
from portal.gateway.money import CallPrice, Funds, Limit
from portal.gateway.runtime import Runtime
from portal.gateway.server import Gateway
from portal.gateway.snapshot import Snapshot
from tests.factories.gateway import (
    ALICE,
    CHAT,
    KEY,
    PROJECT,
    Reply,
    call,
    chat,
    gateway_with,
    grant,
    snapshot,
    spooled,
    target,
)
from tests.model_server import StubModel

T = TypeVar("T")
D = Decimal
# A fen for each token in or out, so that money can be counted on fingers.
PRICE = CallPrice(D("0.01"), D("0.01"), D("0.0106"), D("0.0106"))
MANY = 60
# Seven in and two out, as the stub reports it.
COST = D("0.09")
GRANT = grant()


def limited(given: Snapshot, *limits: Limit, funds: Funds | None = None) -> Snapshot:
    """The same with prices, and with budgets and funds of Alice."""
    return replace(
        given,
        prices={one.deployment_id: PRICE for one in given.targets.values()},
        limits={ALICE: limits} if limits else {},
        funds={} if funds is None else {ALICE: funds},
    )


def of_tenant(left: str, amount: str = "100") -> Limit:
    return Limit("tenant", None, D(amount), D(left))


Scenario = Callable[[Gateway, Runtime, StubModel], Awaitable[T]]


def served(folder: Path, scenario: Scenario[T], *limits: Limit, funds: Funds | None = None) -> T:
    async def run() -> T:
        model = StubModel()
        server = await model.start()
        other = grant(key_id=UUID(int=7))
        keys = {KEY: GRANT, "acp_other": other}
        given = snapshot(keys, [target("m", model.endpoint), target("n", model.endpoint)])
        gateway, runtime = gateway_with(folder, limited(given, *limits, funds=funds))
        try:
            return await scenario(gateway, runtime, model)
        finally:
            await gateway.stop()
            server.close()

    return asyncio.run(run())


def bound_cost(max_tokens: int) -> Decimal:
    """What a chat of the factory can cost at most."""
    length = len(json.dumps(chat(max_tokens=max_tokens)))
    return (length + TEMPLATE_TOKENS + max_tokens) * PRICE.net_in


async def crowd(gateway: Gateway, model: StubModel, number: int = MANY) -> list[Reply]:
    """So many calls at once, all of them at the model together."""
    return await asyncio.gather(
        *(call(gateway, CHAT, chat(max_tokens=10)) for _number in range(number))
    )


def recorded(runtime: Runtime) -> Decimal:
    return sum(((one.tokens_in + one.tokens_out) * PRICE.net_in for one in spooled(runtime)), D(0))


def test_concurrent_calls_never_spend_more_than_the_budget(tmp_path: Path) -> None:
    left = bound_cost(10) * 3

    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        replies = await crowd(gateway, model)
        # Of those that came at once three had room; whoever came when one had ended, too.
        admitted = sum(reply.status == 200 for reply in replies)
        assert 3 <= admitted < MANY
        assert {reply.status for reply in replies} == {200, 429}
        spent = recorded(runtime)
        assert spent == admitted * COST <= left
        assert runtime.holds.outstanding(("tenant", ALICE)) == spent

    served(tmp_path, scenario, of_tenant(str(left)))


def test_a_budget_is_used_up_to_the_last_call_that_fits(tmp_path: Path) -> None:
    left = bound_cost(10) + COST * 5

    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        statuses = [
            (await call(gateway, CHAT, chat(max_tokens=10))).status for _number in range(10)
        ]
        assert statuses == [200] * 6 + [429] * 4
        assert recorded(runtime) == COST * 6 <= left

    served(tmp_path, scenario, of_tenant(str(left)))


def test_without_holds_the_same_crowd_overspends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = COST * 3
    monkeypatch.setattr(Holds, "take", lambda *given: None)

    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        replies = await crowd(gateway, model)
        assert {reply.status for reply in replies} == {200}
        assert recorded(runtime) == COST * MANY > left

    served(tmp_path, scenario, of_tenant(str(left)))


def test_a_refusal_is_in_openais_shape_and_is_not_to_be_retried(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        reply = await call(gateway, CHAT, chat(max_tokens=10))
        assert reply.status == 429
        assert reply.headers["x-should-retry"] == "false"
        assert (reply.error["code"], reply.error["type"]) == (
            "budget_reached",
            "insufficient_quota",
        )
        assert "100.00 CNY" in str(reply.error["message"])
        assert (model.seen, spooled(runtime)) == ([], [])

    served(tmp_path, scenario, of_tenant("0.01"))


@pytest.mark.parametrize("left", ["0", "-5"])
def test_a_reached_budget_refuses_also_what_costs_nothing(tmp_path: Path, left: str) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        given = runtime.current.snapshot
        assert given is not None
        runtime.current.snapshot = replace(given, prices={})
        assert (await call(gateway, CHAT, chat())).error["code"] == "budget_reached"

    served(tmp_path, scenario, of_tenant(left))


def test_each_scope_stops_its_own_calls_only(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        given = runtime.current.snapshot
        assert given is not None
        deployment = given.targets[ALICE, "m"].deployment_id

        async def statuses(*limits: Limit) -> tuple[int, int, int]:
            runtime.current.snapshot = replace(given, limits={ALICE: limits})
            body, other = chat(max_tokens=1), chat("n", max_tokens=1)
            return (
                (await call(gateway, CHAT, body)).status,
                (await call(gateway, CHAT, other)).status,
                (await call(gateway, CHAT, body, key="acp_other")).status,
            )

        reached = {"amount": D(1), "left": D(0)}
        assert await statuses(Limit("tenant", None, **reached)) == (429, 429, 429)
        assert await statuses(Limit("project", PROJECT, **reached)) == (429, 429, 429)
        assert await statuses(Limit("project", UUID(int=1), **reached)) == (200, 200, 200)
        assert await statuses(Limit("key", GRANT.key_id, **reached)) == (429, 429, 200)
        assert await statuses(Limit("deployment", deployment, **reached)) == (429, 200, 429)

    served(tmp_path, scenario)


def test_a_call_that_came_to_nothing_is_held_for_no_longer(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        model.status = 500
        assert (await call(gateway, CHAT, chat())).status == 502
        assert runtime.holds.outstanding(("tenant", ALICE)) == 0
        model.status = 200
        assert (await call(gateway, CHAT, chat(stream=True), leave_after_parts=1)).status == 200
        (record,) = spooled(runtime)
        cost = (record.tokens_in + record.tokens_out) * PRICE.net_in
        assert runtime.holds.outstanding(("tenant", ALICE)) == cost

    served(tmp_path, scenario, of_tenant("1000"))


def test_a_model_is_told_a_bound_only_where_a_budget_stops(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        await call(gateway, CHAT, chat())
        await call(gateway, CHAT, chat(max_completion_tokens=5))
        await call(gateway, CHAT, chat(stream=True))
        given = runtime.current.snapshot
        assert given is not None
        runtime.current.snapshot = replace(given, limits={})
        await call(gateway, CHAT, chat())
        assert [seen.body.get("max_tokens") for seen in model.seen] == [
            DEFAULT_OUTPUT_TOKENS,
            None,
            DEFAULT_OUTPUT_TOKENS,
            None,
        ]

    served(tmp_path, scenario, of_tenant("1000"))


def test_a_bound_counts_every_answer_and_every_prompt() -> None:
    assert bound_of(CHAT, {"max_tokens": 10}, 100) == Bound(100 + TEMPLATE_TOKENS, 10)
    assert bound_of(CHAT, {"n": 3, "max_tokens": 10, "max_completion_tokens": 20}, 0) == Bound(
        TEMPLATE_TOKENS, 60
    )
    assert bound_of(CHAT, {"max_tokens": True}, 0).tokens_out == DEFAULT_OUTPUT_TOKENS
    completions = "/v1/completions"
    assert bound_of(completions, {"prompt": ["a", "b"], "max_tokens": 5}, 0).tokens_out == 10
    assert bound_of(completions, {"prompt": [1, 2, 3], "max_tokens": 5}, 0).tokens_out == 5
    assert bound_of("/v1/embeddings", {"input": "x"}, 40) == Bound(40 + TEMPLATE_TOKENS, 0)


def test_funds_are_overspent_by_no_more_than_the_last_call(tmp_path: Path) -> None:
    funds = Funds(available=bound_cost(10) * D("1.06") * 2, read_at=None)

    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        model.wait_after, model.go_on = 1, asyncio.Event()
        started = [
            asyncio.ensure_future(call(gateway, CHAT, chat(max_tokens=10, stream=True)))
            for _number in range(10)
        ]
        while len(model.seen) < 2 or sum(one.done() for one in started) < 8:
            await asyncio.sleep(0.01)
        # Two were admitted with all that is there held for; the others were refused at once.
        assert len(model.seen) == 2
        model.go_on.set()
        replies = await asyncio.gather(*started)
        refused = [reply for reply in replies if reply.status == 429]
        assert [reply.error["code"] for reply in refused] == ["insufficient_quota"] * 8

    served(tmp_path, scenario, funds=funds)


def test_a_carried_tenant_is_served_without_funds(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        assert (await call(gateway, CHAT, chat())).status == 200
        assert (await call(gateway, CHAT, chat())).status == 200

    served(tmp_path, scenario, funds=Funds(D(-5), None, is_carried=True))


class Stage:
    """Holds over a snapshot that the test replaces, without a gateway around them."""

    def __init__(self, left: str, processes: int = 1) -> None:
        self.target = target("m", "http://127.0.0.1:9")
        self.snapshot = limited(
            snapshot({KEY: GRANT}, [self.target]), of_tenant(left), funds=Funds(D(1000), None)
        )
        self.holds = Holds(lambda: self.snapshot, processes)
        self.calls = 0

    def take(self, tokens: int) -> UUID:
        self.calls += 1
        call_id = UUID(int=self.calls)
        self.holds.take(call_id, GRANT, self.target, Bound(tokens, 0))
        return call_id

    def counted(self, left: str, **read: object) -> None:
        self.snapshot = limited(
            self.snapshot,
            of_tenant(left),
            funds=Funds(D(1000), **read),  # type: ignore[arg-type]
        )
        self.holds.forget_counted()

    @property
    def held(self) -> Decimal:
        return self.holds.outstanding(("tenant", ALICE))


def test_a_metered_call_is_held_for_until_billing_has_counted_it() -> None:
    stage, at = Stage("1.00"), utc_now()
    first = stage.take(100)
    stage.holds.metered(first, 60, 0)
    stage.holds.ended(first)
    assert stage.held == D("0.60")
    stage.holds.committed([first], at)
    for read_at in (None, at - timedelta(seconds=1), at):
        stage.counted("1.00", read_at=read_at)
        assert stage.held == D("0.60")
        with pytest.raises(Refusal):
            stage.take(41)
    stage.counted("0.40", read_at=at + timedelta(microseconds=1))
    assert stage.held == 0
    assert stage.holds.outstanding((FUNDS, ALICE)) == 0
    with pytest.raises(Refusal):
        stage.take(41)
    stage.take(40)


def test_what_billing_refuses_is_not_held_for() -> None:
    stage = Stage("1.00")
    first = stage.take(100)
    stage.holds.metered(first, 100, 0)
    stage.holds.refused([first])
    assert stage.held == 0
    stage.take(100)


def test_more_than_the_bound_is_held_for_where_a_model_went_beyond() -> None:
    stage = Stage("1.00")
    first = stage.take(10)
    stage.holds.metered(first, 10, 80)
    assert stage.held == D("0.90")
    with pytest.raises(Refusal):
        stage.take(11)


def test_each_of_several_processes_admits_its_part() -> None:
    stage = Stage("1.00", processes=4)
    stage.take(25)
    with pytest.raises(Refusal):
        stage.take(1)


def test_the_money_of_a_snapshot_is_read_back_from_its_file(tmp_path: Path) -> None:
    at = utc_now()
    given = limited(
        snapshot({KEY: GRANT}, [target("m", "http://127.0.0.1:9")]),
        of_tenant("1.5"),
        Limit("key", GRANT.key_id, D("10.00"), D("-0.000001")),
        funds=Funds(D("12.340000"), at, is_carried=True),
    )
    path = tmp_path / "snapshot.json"
    snapshots.save(given, path)
    found = snapshots.load(path)
    assert found is not None
    assert (found.prices, found.limits, found.funds) == (given.prices, given.limits, given.funds)
