"""The real gateway, a real model server and the real openai client, each in its own process."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import openai
import pytest

from common.clock import utc_now
from portal.gateway import snapshot as snapshots
from portal.gateway.spool import CallRecord, Spool
from tests.factories.gateway import ALICE, BOB, KEY, grant, snapshot, target

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[2]
# The discard port: nothing answers, as when the database is stopped.
NOWHERE = "postgresql://nobody@127.0.0.1:9/none"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that dies with its test."""
    started = subprocess.Popen(command, env={**os.environ, **environment}, cwd=ROOT)
    try:
        yield started
    finally:
        started.kill()
        started.wait(10)


def wait_for(url: str) -> None:
    """Until a server answers; fails the test after thirty seconds."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError(f"{url} did not answer.")


def gateway_command(port: int) -> list[str]:
    command = [sys.executable, "-m", "uvicorn", "portal.gateway.app:application"]
    return [*command, "--host", "127.0.0.1", "--port", str(port), "--no-access-log"]


@dataclass(frozen=True)
class Site:
    """One gateway without a database, in front of one small model and one address nobody has."""

    gateway: str
    model: str
    folder: Path

    def client(self, key: str = KEY) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.gateway}/v1", api_key=key, max_retries=0, timeout=60)

    def metered(self, expected: int) -> list[CallRecord]:
        """What stands in the spool of the running gateway, once so many records are there."""
        until = time.monotonic() + 10
        while True:
            lines = [
                line
                for path in sorted((self.folder / "spool").rglob("*.jsonl"))
                for line in path.read_bytes().splitlines()
            ]
            found = [CallRecord.from_line(line) for line in lines]
            if len(found) >= expected or time.monotonic() > until:
                break
            time.sleep(0.02)
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("gateway")
    model_port, gateway_port, dead_port = free_port(), free_port(), free_port()
    model = f"http://127.0.0.1:{model_port}"
    keys = {
        KEY: grant(),
        "acp_limited": grant(requests_per_minute=1),
        "acp_narrow": grant(allowed_models=frozenset({"another"})),
        "acp_reader": grant(scopes=frozenset({"billing:usage:read"})),
        "acp_poor": grant(tenant=BOB),
        "acp_expired": grant(expires_at=utc_now() - timedelta(hours=1)),
    }
    targets = [
        target("small", model),
        target("gone", f"http://127.0.0.1:{dead_port}"),
        target("bobs", model, tenant=BOB),
    ]
    snapshots.save(snapshot(keys, targets, (ALICE,)), folder / "snapshot.json")
    serve = [sys.executable, "-m", "appliances.runtimes.smallmodel.server", "--name", "small"]
    environment = {
        "GATEWAY_STATE_DIR": str(folder),
        "DATABASE_URL": NOWHERE,
        "DATABASE_OWNER_URL": NOWHERE,
        "DJANGO_SETTINGS_MODULE": "portal.settings.test",
    }
    with process([*serve, "--port", str(model_port)], XDG_CACHE_HOME=str(folder)):
        wait_for(f"{model}/health")
        with process(gateway_command(gateway_port), **environment):
            gateway = f"http://127.0.0.1:{gateway_port}"
            wait_for(f"{gateway}/readyz")
            yield Site(gateway, model, folder)


ASK = [{"role": "user", "content": "How do I reserve cards?"}]


def test_the_openai_client_chats_without_a_database(site: Site) -> None:
    before = len(site.metered(0))
    answer = site.client().chat.completions.create(model="small", messages=ASK, max_tokens=40)
    assert answer.choices[0].message.content
    assert answer.usage is not None
    record = site.metered(before + 1)[-1]
    assert (record.tokens_in, record.tokens_out) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )
    assert (record.reported, record.partial, record.model) == (True, False, "small")


def test_the_openai_client_streams_and_gets_usage_where_it_asks(site: Site) -> None:
    before = len(site.metered(0))
    pieces = list(
        site.client().chat.completions.create(
            model="small",
            messages=ASK,
            max_tokens=40,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    said = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
    usage = pieces[-1].usage
    assert said.strip()
    assert usage is not None
    record = site.metered(before + 1)[-1]
    assert (record.tokens_in, record.tokens_out) == (usage.prompt_tokens, usage.completion_tokens)

    plain = list(
        site.client().chat.completions.create(
            model="small", messages=ASK, max_tokens=40, stream=True
        )
    )
    assert all(piece.usage is None for piece in plain)
    assert site.metered(before + 2)[-1].reported


def test_the_openai_client_lists_models_and_embeds(site: Site) -> None:
    client = site.client()
    assert [model.id for model in client.models.list()] == ["gone", "small"]
    assert client.models.retrieve("small").owned_by == "centre"
    before = len(site.metered(0))
    made = client.embeddings.create(model="small", input="reserve cards", encoding_format="float")
    assert len(made.data[0].embedding) > 8
    record = site.metered(before + 1)[-1]
    assert (record.tokens_in, record.tokens_out) == (made.usage.prompt_tokens, 0)


def test_the_openai_client_completes_text(site: Site) -> None:
    made = site.client().completions.create(model="small", prompt="cards", max_tokens=5)
    assert made.usage is not None
    assert made.usage.completion_tokens >= 1


@pytest.mark.parametrize(
    ("key", "model", "error", "code"),
    [
        ("acp_nobody", "small", openai.AuthenticationError, "invalid_api_key"),
        ("acp_expired", "small", openai.AuthenticationError, "invalid_api_key"),
        (KEY, "missing", openai.NotFoundError, "model_not_found"),
        (KEY, "bobs", openai.NotFoundError, "model_not_found"),
        ("acp_narrow", "small", openai.PermissionDeniedError, "model_not_allowed"),
        ("acp_reader", "small", openai.PermissionDeniedError, "permission_refused"),
        ("acp_poor", "bobs", openai.RateLimitError, "insufficient_quota"),
        (KEY, "gone", openai.InternalServerError, "model_unavailable"),
    ],
)
def test_each_refusal_is_an_error_the_openai_client_knows(
    site: Site, key: str, model: str, error: type[openai.APIStatusError], code: str
) -> None:
    before = len(site.metered(0))
    with pytest.raises(error) as caught:
        site.client(key).chat.completions.create(model=model, messages=ASK)
    assert caught.value.code == code
    assert caught.value.type
    assert len(site.metered(before)) == before


def test_without_funds_the_openai_client_does_not_try_again(site: Site) -> None:
    client = site.client("acp_poor").with_options(max_retries=5)
    started = time.monotonic()
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="bobs", messages=ASK)
    # Five tries with the client's own pauses would take several seconds.
    assert time.monotonic() - started < 2


def test_above_the_rate_the_openai_client_is_told_when(site: Site) -> None:
    client = site.client("acp_limited")
    client.chat.completions.create(model="small", messages=ASK, max_tokens=1)
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="small", messages=ASK)
    assert caught.value.code == "rate_limit_exceeded"
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60


def test_a_client_that_hangs_up_is_metered_once(site: Site) -> None:
    before = len(site.metered(0))
    body = {"model": "small", "messages": ASK, "stream": True, "max_tokens": 250}
    headers = {"Authorization": f"Bearer {KEY}"}
    with (
        httpx.Client(timeout=30) as client,
        client.stream(
            "POST", f"{site.gateway}/v1/chat/completions", json=body, headers=headers
        ) as answer,
    ):
        next(answer.iter_raw())
    records = site.metered(before + 1)
    assert len(records) == before + 1
    assert records[-1].tokens_out >= 1


def test_readiness_tells_the_age_of_what_is_served_from(site: Site) -> None:
    ready = httpx.get(f"{site.gateway}/readyz").json()
    assert ready["status"] == "ready"
    assert ready["snapshot_age_seconds"] >= 0
    assert b"gateway_requests_total" in httpx.get(f"{site.gateway}/metrics").content


def test_a_killed_gateway_loses_nothing_and_the_next_one_delivers(
    site: Site, tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    port = free_port()
    snapshots.save(
        snapshot({KEY: grant()}, [target("small", site.model)]), folder / "snapshot.json"
    )
    environment = {
        "GATEWAY_STATE_DIR": str(folder),
        "DATABASE_URL": NOWHERE,
        "DATABASE_OWNER_URL": NOWHERE,
        "DJANGO_SETTINGS_MODULE": "portal.settings.test",
    }
    second = Site(f"http://127.0.0.1:{port}", site.model, folder)
    with process(gateway_command(port), **environment) as gateway:
        wait_for(f"{second.gateway}/readyz")
        for _ in range(3):
            second.client().chat.completions.create(model="small", messages=ASK, max_tokens=2)
        gateway.kill()
        gateway.wait(10)
    taken: list[CallRecord] = []
    next_one = Spool(folder / "spool")
    assert next_one.flush(taken.extend) == 3
    assert next_one.flush(taken.extend) == 0
    assert len({record.id for record in taken}) == 3
