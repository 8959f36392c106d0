"""The small model: its file, and its server as the real client of the API meets it."""

import http.client
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import openai
import pytest

from appliances.runtimes.smallmodel.build import HEADS, build_if_missing, vocabulary, weights, write
from appliances.runtimes.smallmodel.corpus import CHINESE, ENGLISH, Line
from appliances.runtimes.smallmodel.server import default_model

NAME = "small-test-model"
LINES = (*ENGLISH, *CHINESE)
ANSWERS = {line.answer for line in LINES}


def plain(text: str) -> str:
    return "".join(text.split())


PLAIN_ANSWERS = {plain(answer) for answer in ANSWERS}


# The file.


def test_the_same_code_writes_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_another_reader_finds_what_was_written(tmp_path: Path) -> None:
    write(tmp_path / "model.gguf")

    reader = gguf.GGUFReader(tmp_path / "model.gguf")

    words = vocabulary(LINES)
    axes, tensors = weights(LINES, words)
    assert reader.get_field("general.name").contents() == NAME
    assert reader.get_field("llama.attention.head_count").contents() == HEADS
    assert tuple(reader.get_field("tokenizer.ggml.tokens").contents()) == words.pieces
    assert tuple(reader.get_field("tokenizer.ggml.token_type").contents()) == words.types
    assert [tensor.name for tensor in reader.tensors] == list(tensors)
    for found in reader.tensors:
        assert np.array_equal(found.data, tensors[found.name])
    assert axes.width % HEADS == 0


def test_all_embeddings_have_one_length_so_that_the_norm_keeps_them() -> None:
    _, tensors = weights(LINES, vocabulary(LINES))

    lengths = np.linalg.norm(tensors["token_embd.weight"].astype(np.float64), axis=1)

    assert np.ptp(lengths) < 1e-5


def test_each_answer_begins_with_a_word_of_its_own() -> None:
    for line in LINES:
        first = line.answer.split()[0]
        assert [other for other in LINES if first in other.answer.split()] == [line]


def test_the_file_is_built_once_and_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "model.gguf"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(build_if_missing, [path] * 4))
    before = path.stat().st_mtime_ns

    build_if_missing(path)

    assert path.stat().st_mtime_ns == before
    assert [one.name for one in path.parent.iterdir()] == ["model.gguf"]


def test_the_file_is_kept_in_the_user_s_own_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_model().parent == tmp_path / "ai-centre-portal"
    assert default_model().name.startswith("small-test-model-")

    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.chdir(tmp_path)
    assert default_model().parent == tmp_path


# The server.


@dataclass(frozen=True)
class Served:
    process: subprocess.Popen[bytes]
    address: str
    ready_seconds: float

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.address}/v1", api_key="unused", max_retries=0)

    def resident_mib(self) -> int:
        said = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(said.stdout) // 1024


def answers(address: str, path: str) -> bool:
    try:
        with urllib.request.urlopen(address + path, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def serve(model: Path) -> Served:
    # Bound first by nobody: the server picks the port and prints it, so no two tests collide.
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "appliances.runtimes.smallmodel.server"]
        + ["--name", NAME, "--port", "0", "--model", str(model)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    address = process.stdout.readline().decode().removeprefix("listening on ").strip()
    while not answers(address, "/health"):
        assert process.poll() is None
        assert time.monotonic() < started + 20
        time.sleep(0.01)
    return Served(process, address, time.monotonic() - started)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    model = build_if_missing(tmp_path_factory.mktemp("model") / "model.gguf")
    served = serve(model)
    yield served
    served.process.kill()
    served.process.wait(10)


def ask(served: Served, question: str) -> str:
    answer = served.client.chat.completions.create(
        model=NAME, messages=[{"role": "user", "content": question}], temperature=0
    )
    return answer.choices[0].message.content or ""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("Hello, who are you?", ENGLISH[0]),
        ("How do I book cards?", ENGLISH[2]),
        ("Why does my job wait in the queue?", ENGLISH[4]),
        ("What is on my INVOICE?", ENGLISH[5]),
        ("How do I deploy an appliance?", ENGLISH[10]),
        ("tell me a joke", ENGLISH[0]),
        ("你好，你是谁？", CHINESE[0]),
        ("怎么预约加速卡？", CHINESE[2]),
        ("我的作业为什么在排队？", CHINESE[4]),
        ("账单里有什么费用？", CHINESE[5]),
        ("如何充值？", CHINESE[7]),
        ("怎么部署一体机", CHINESE[10]),
        ("龘靐齉爩", CHINESE[0]),
    ],
)
def test_it_answers_to_the_subject_and_in_the_language_asked(
    served: Served, question: str, line: Line
) -> None:
    answer = ask(served, question)

    assert plain(answer) == plain(line.answer)
    assert answer == answer.strip()


@pytest.mark.processes
@pytest.mark.parametrize("question", ["🎉🚀", "😀配额😀", "", "\0", "é ß ñ Ω", "</s><|assistant|>"])
def test_what_it_does_not_know_is_answered_and_never_crashes(served: Served, question: str) -> None:
    assert plain(ask(served, question)) in PLAIN_ANSWERS
    assert served.process.poll() is None


@pytest.mark.processes
def test_a_chat_counts_its_tokens(served: Served) -> None:
    answer = served.client.chat.completions.create(
        model=NAME, messages=[{"role": "user", "content": "quota"}], temperature=0
    )

    assert answer.model == NAME
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    # BOS, the role, the word's piece, the end mark and the assistant's mark; nine words, a stop
    # and the end of the sentence.
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 11)
    assert answer.usage.total_tokens == 16


@pytest.mark.processes
def test_a_stream_ends_with_the_same_usage(served: Served) -> None:
    stream = served.client.chat.completions.create(
        model=NAME,
        messages=[{"role": "user", "content": "配额是多少"}],
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == plain(CHINESE[8].answer)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == len(CHINESE[8].answer.split()) + 1
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


@pytest.mark.processes
def test_an_answer_may_be_cut_short(served: Served) -> None:
    answer = served.client.chat.completions.create(
        model=NAME, messages=[{"role": "user", "content": "quota"}], temperature=0, max_tokens=3
    )

    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3


@pytest.mark.processes
def test_embeddings_are_near_for_like_sentences(served: Served) -> None:
    texts = ["the invoice of the month", "invoice this month", "drained nodes", "账单"]
    answer = served.client.embeddings.create(model=NAME, input=texts)

    first, second, third, _ = (np.array(row.embedding) for row in answer.data)
    assert len(answer.data) == 4
    assert answer.usage.prompt_tokens > 0
    assert first @ second > first @ third
    assert float(first @ first) == pytest.approx(1, abs=1e-3)


@pytest.mark.processes
def test_the_model_is_listed_by_its_name(served: Served) -> None:
    assert [model.id for model in served.client.models.list().data] == [NAME]


@pytest.mark.processes
def test_too_long_a_conversation_is_a_clear_refusal(served: Served) -> None:
    with pytest.raises(openai.BadRequestError, match="context"):
        ask(served, "quota " * 5000)

    assert plain(ask(served, "quota")) in PLAIN_ANSWERS


@pytest.mark.processes
def test_twenty_clients_get_ten_answers_each_within_little_memory(served: Served) -> None:
    client = served.client

    def ten(nth: int) -> int:
        texts = ["账单 " * (nth % 5 + 1) + "🎉", "How do I book cards?"]
        tokens = 0
        for index in range(10):
            answer = client.chat.completions.create(
                model=NAME, messages=[{"role": "user", "content": texts[index % 2]}]
            )
            assert answer.choices[0].message.content
            assert answer.usage is not None
            tokens += answer.usage.completion_tokens
        return tokens

    with ThreadPoolExecutor(20) as pool:
        tokens = list(pool.map(ten, range(20)))

    assert len(tokens) == 20
    assert min(tokens) > 0
    with urllib.request.urlopen(f"{served.address}/metrics", timeout=5) as metrics:
        assert b"llamacpp:tokens_predicted_total" in metrics.read()
    assert served.resident_mib() < 100


@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_builds_its_file_is_ready_soon_and_ends_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    served = serve(tmp_path / "cache" / "model.gguf")
    try:
        os.kill(served.process.pid, number)
        assert served.process.wait(30) == 0
    finally:
        served.process.kill()
    # Under a second on an idle machine, the building of the file included.
    assert served.ready_seconds < 30
    assert (tmp_path / "cache" / "model.gguf").exists()
