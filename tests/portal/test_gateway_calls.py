"""Model calls through the gateway, in this process, to a stub model server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from common.clock import utc_now
from portal.gateway.runtime import Runtime
from portal.gateway.server import Gateway
from portal.gateway.snapshot import Grant
from tests.factories.gateway import (
    ALICE,
    BOB,
    CHAT,
    KEY,
    OTHER_PROJECT,
    PROJECT,
    call,
    chat,
    gateway_with,
    grant,
    snapshot,
    spooled,
    target,
)
from tests.model_server import StubModel, completion

T = TypeVar("T")


def served(
    folder: Path,
    scenario: Callable[[Gateway, Runtime, StubModel], Awaitable[T]],
    *,
    keys: dict[str, Grant] | None = None,
    spenders: tuple[object, ...] = (ALICE, BOB),
    **bounds: float,
) -> T:
    """Run a scenario against a gateway with one model "m" of Alice and one "b" of Bob."""

    async def run() -> T:
        model = StubModel()
        server = await model.start()
        given = snapshot(
            keys or {KEY: grant()},
            [target("m", model.endpoint), target("b", model.endpoint, tenant=BOB)],
            spenders,  # type: ignore[arg-type]
        )
        gateway, runtime = gateway_with(folder, given, **bounds)  # type: ignore[arg-type]
        try:
            return await scenario(gateway, runtime, model)
        finally:
            await gateway.stop()
            server.close()

    return asyncio.run(run())


def test_a_chat_is_forwarded_and_metered_once(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        reply = await call(gateway, CHAT, chat())
        assert reply.status == 200
        assert json.loads(reply.body) == completion("Hello there")
        (record,) = spooled(runtime)
        assert str(record.id) == reply.headers["x-request-id"]
        assert (record.tokens_in, record.tokens_out) == (7, 2)
        assert (record.reported, record.partial) == (True, False)
        assert (record.tenant_id, record.project_id, record.model) == (ALICE, PROJECT, "m")

    served(tmp_path, scenario)


def test_the_clients_key_and_headers_stay_at_the_gateway(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        reply = await call(
            gateway, CHAT, chat(), headers=((b"cookie", b"a=1"), (b"x-api-key", b"other"))
        )
        (seen,) = model.seen
        assert set(seen.headers) - {""} == {
            "host",
            "content-type",
            "accept-encoding",
            "x-request-id",
            "content-length",
        }
        assert "server" not in reply.headers

    served(tmp_path, scenario)


@pytest.mark.parametrize("key", [None, "", "acp_unknown", "acp_expired"])
def test_a_key_that_is_not_in_force_is_refused(tmp_path: Path, key: str | None) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        reply = await call(gateway, CHAT, chat(), key=key)
        assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
        assert model.seen == []
        assert spooled(runtime) == []

    expired = grant(expires_at=utc_now() - timedelta(seconds=1))
    served(tmp_path, scenario, keys={KEY: grant(), "acp_expired": expired})


def test_a_key_without_the_scope_is_refused(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        reply = await call(gateway, CHAT, chat())
        assert (reply.status, reply.error["code"]) == (403, "permission_refused")
        assert model.seen == []

    served(tmp_path, scenario, keys={KEY: grant(scopes=frozenset({"billing:usage:read"}))})


def test_a_foreign_model_and_a_missing_one_get_the_same_answer(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        foreign = await call(gateway, CHAT, chat("b"))
        missing = await call(gateway, CHAT, chat("c"))
        assert foreign.status == missing.status == 404
        assert foreign.headers == missing.headers
        assert foreign.body.replace(b"'b'", b"'c'") == missing.body
        assert foreign.error["code"] == "model_not_found"
        assert model.seen == []

    served(tmp_path, scenario)


def test_a_model_outside_the_keys_list_is_not_allowed(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        reply = await call(gateway, CHAT, chat())
        assert (reply.status, reply.error["code"]) == (403, "model_not_allowed")
        listed = await call(gateway, "/v1/models", method="GET")
        assert json.loads(listed.body)["data"] == []

    served(tmp_path, scenario, keys={KEY: grant(allowed_models=frozenset({"other"}))})


def test_a_key_of_one_project_does_not_know_another_projects_model(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        reply = await call(gateway, CHAT, chat())
        assert (reply.status, reply.error["code"]) == (404, "model_not_found")

    served(tmp_path, scenario, keys={KEY: grant(project_id=OTHER_PROJECT)})


def test_without_funds_nothing_is_forwarded_and_clients_do_not_retry(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        reply = await call(gateway, CHAT, chat())
        assert (reply.status, reply.error["code"]) == (429, "insufficient_quota")
        assert reply.headers["x-should-retry"] == "false"
        assert model.seen == []

    served(tmp_path, scenario, spenders=(BOB,))


def test_above_its_rate_a_key_is_told_when_to_come_back(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        statuses = [(await call(gateway, CHAT, chat())).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        reply = await call(gateway, CHAT, chat())
        assert reply.error["code"] == "rate_limit_exceeded"
        assert 1 <= int(reply.headers["retry-after"]) <= 30
        assert len(spooled(runtime)) == 2

    served(tmp_path, scenario, keys={KEY: grant(requests_per_minute=2)})


def test_one_key_at_its_rate_does_not_slow_another(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        assert (await call(gateway, CHAT, chat())).status == 200
        assert (await call(gateway, CHAT, chat())).status == 429
        assert (await call(gateway, CHAT, chat(), key="acp_second")).status == 200

    keys = {KEY: grant(requests_per_minute=1), "acp_second": grant(requests_per_minute=1)}
    served(tmp_path, scenario, keys=keys)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"[1]", None),
        (b"\xff\xfe", None),
        (b'{"messages": []}', "model"),
        (b'{"model": 7}', "model"),
        (b'{"model": "m", "stream": "yes"}', "stream"),
        (b"[" * 100_000, None),
    ],
)
def test_a_body_that_is_no_call_is_refused(tmp_path: Path, body: bytes, param: str | None) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        reply = await call(gateway, CHAT, body)
        assert (reply.status, reply.error["param"]) == (400, param)
        assert model.seen == []

    served(tmp_path, scenario, body_bytes=200_000)


def test_a_body_too_large_is_refused_whether_declared_or_not(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        declared = await call(gateway, CHAT, b"{}", headers=((b"content-length", b"10001"),))
        undeclared = await call(gateway, CHAT, b" " * 10_001)
        assert declared.status == undeclared.status == 413
        assert declared.error["code"] == "request_too_large"

    served(tmp_path, scenario)


def test_unknown_routes_and_wrong_methods_get_the_error_object(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        unknown = await call(gateway, "/v1/nothing", method="GET")
        assert (unknown.status, unknown.error["code"]) == (404, "unknown_url")
        wrong = await call(gateway, CHAT, method="GET")
        assert (wrong.status, wrong.headers["allow"]) == (405, "POST")

    served(tmp_path, scenario)


def test_models_are_listed_for_their_tenant_only(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        listed = json.loads((await call(gateway, "/v1/models", method="GET")).body)
        assert listed["object"] == "list"
        (row,) = listed["data"]
        assert (row["id"], row["object"], row["created"]) == ("m", "model", 1793491200)
        one = await call(gateway, "/v1/models/m", method="GET")
        assert json.loads(one.body) == row
        assert (await call(gateway, "/v1/models/b", method="GET")).status == 404
        assert (await call(gateway, "/v1/models", method="GET", key=None)).status == 401

    served(tmp_path, scenario)


@pytest.mark.parametrize(
    ("upstream", "status", "code"),
    [
        (400, 400, "invalid_request"),
        (422, 422, "invalid_request"),
        (401, 502, "model_failed"),
        (404, 400, "unsupported_by_model"),
        (501, 400, "unsupported_by_model"),
        (500, 502, "model_failed"),
        (503, 503, "model_unavailable"),
        (302, 502, "model_failed"),
    ],
)
def test_what_the_model_server_refuses_is_translated(
    tmp_path: Path, upstream: int, status: int, code: str
) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        model.status = upstream
        model.answer = {"error": {"message": "too long", "code": 9, "type": "x"}}
        reply = await call(gateway, CHAT, chat())
        assert (reply.status, reply.error["code"]) == (status, code)
        assert ("too long" in str(reply.error["message"])) == (upstream in {400, 422})
        assert spooled(runtime) == []

    served(tmp_path, scenario)


def test_a_model_server_that_is_gone_is_said_to_be_unavailable(tmp_path: Path) -> None:
    async def run() -> None:
        model = StubModel()
        server = await model.start()
        server.close()
        await server.wait_closed()
        gateway, runtime = gateway_with(
            tmp_path, snapshot({KEY: grant()}, [target("m", model.endpoint)])
        )
        reply = await call(gateway, CHAT, chat())
        assert (reply.status, reply.error["code"]) == (503, "model_unavailable")
        assert reply.headers["retry-after"] == "2"
        assert spooled(runtime) == []
        await gateway.stop()

    asyncio.run(run())


def test_a_model_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        model.wait_after = 0
        reply = await call(gateway, CHAT, chat(stream=True))
        # The stream's head had come, so the refusal travels inside the stream.
        assert reply.status == 200
        assert b"model_timeout" in reply.body

    served(tmp_path, scenario, read_seconds=0.2)


def test_an_answer_without_usage_is_counted_by_length_and_marked(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        model.answer = {k: v for k, v in completion("算力中心 ok").items() if k != "usage"}
        await call(gateway, CHAT, chat())
        (record,) = spooled(runtime)
        # "Hello" is five Latin letters; the answer is four characters and three Latin ones.
        assert (record.tokens_in, record.tokens_out, record.reported) == (2, 5, False)

    served(tmp_path, scenario)


def test_embeddings_are_metered_as_tokens_in(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        model.answer = {"object": "list", "data": [], "usage": {"prompt_tokens": 5}}
        reply = await call(gateway, "/v1/embeddings", {"model": "m", "input": "x"})
        assert reply.status == 200
        (record,) = spooled(runtime)
        assert (record.tokens_in, record.tokens_out, record.reported) == (5, 0, True)
        assert model.seen[0].path == "/v1/embeddings"

    served(tmp_path, scenario)


@pytest.mark.parametrize("stream", [False, True])
def test_half_characters_and_bottomless_nesting_are_served_like_any_text(
    tmp_path: Path, stream: bool
) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        model.reports_usage = False
        model.answer = {k: v for k, v in completion("ok").items() if k != "usage"}
        nested = "[" * 700 + "]" * 700
        content = f'{{"role": "user", "content": ["\\ud800", {nested}]}}'
        body = f'{{"model": "m", "stream": {str(stream).lower()}, "messages": [{content}]}}'
        assert (await call(gateway, CHAT, body.encode())).status == 200
        (record,) = spooled(runtime)
        assert (record.tokens_in, record.reported) == (1, False)
        unknown = await call(gateway, CHAT, b'{"model": "\\ud800"}')
        assert (unknown.status, unknown.error["code"]) == (404, "model_not_found")

    served(tmp_path, scenario)


def test_nothing_that_was_said_is_written_down(tmp_path: Path) -> None:
    async def scenario(gateway: Gateway, runtime: Runtime, model: StubModel) -> None:
        model.answer = completion("ANSWER-CANARY")
        messages = [{"role": "user", "content": "PROMPT-CANARY"}]
        await call(gateway, CHAT, {"model": "m", "messages": messages})
        await call(gateway, CHAT, {"model": "m", "messages": messages, "stream": True})
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        for path in files:
            assert b"CANARY" not in path.read_bytes()
        assert b"CANARY" not in runtime.metrics.text()

    served(tmp_path, scenario)
