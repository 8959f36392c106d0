"""Tokens of a call: the model server's own count where it gives one, else what was seen.

Nothing here keeps a word of what was asked or answered.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# One parsed JSON object of a client or a model server: its values may be anything.
Json = Mapping[str, Any]

# A token of Latin text is about four bytes; of Chinese about one character.
LATIN_BYTES_PER_TOKEN = 4
WIDE = "\u2e80"
# Where text can stand in a call: messages, their content, its parts. Deeper is no conversation.
DEEPEST = 6


@dataclass(frozen=True)
class Tokens:
    """What a call cost; ``reported`` is False where it had to be estimated.

    Shape: ``tokens_cached`` of the tokens in were found in the model's cache.
    """

    tokens_in: int
    tokens_out: int
    reported: bool
    tokens_cached: int = 0


def reported(usage: object) -> Tokens | None:
    """The usage object of a model server, or None where it is missing or makes no sense."""
    if not isinstance(usage, dict):
        return None
    tokens_in = usage.get("prompt_tokens", 0)
    tokens_out = usage.get("completion_tokens", 0)
    if not _is_count(tokens_in) or not _is_count(tokens_out):
        return None
    return Tokens(tokens_in, tokens_out, reported=True, tokens_cached=_cached(usage, tokens_in))


def _cached(usage: Json, tokens_in: int) -> int:
    """Of the tokens in, those from the cache; none where what is said of them makes no sense."""
    details = usage.get("prompt_tokens_details")
    said = details.get("cached_tokens", 0) if isinstance(details, dict) else 0
    return said if _is_count(said) and said <= tokens_in else 0


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40


def estimate(text: str) -> int:
    """Tokens of a text by its length; an estimate, and labelled so wherever it is used."""
    wide = sum(1 for character in text if character >= WIDE)
    latin = len(text) - wide
    return wide + math.ceil(latin / LATIN_BYTES_PER_TOKEN)


def estimate_prompt(body: Json) -> int:
    """Tokens that went in, by length; used only where the model server never said."""
    return sum(estimate(text) for text in _texts(body.get("messages") or _plain(body)))


def estimate_answer(answer: Json) -> int:
    """Tokens of a whole answer without usage, by length."""
    choices = answer.get("choices")
    return sum(estimate(text) for text in _texts(choices)) if isinstance(choices, list) else 0


def _plain(body: Json) -> object:
    return [body.get("prompt"), body.get("input"), body.get("query"), body.get("documents")]


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth == DEEPEST:
        return
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
    elif isinstance(value, dict):
        for name in ("content", "text", "message", "reasoning_content"):
            yield from _texts(value.get(name), depth + 1)


class StreamCount:
    """Reads a stream of server-sent events as it passes and counts what was produced.

    The gateway always asks the model server for usage; where the client did not ask for it, the
    event that carries it is held back, so that the client sees what it asked for.
    """

    def __init__(self, *, client_wants_usage: bool) -> None:
        self._client_wants_usage = client_wants_usage
        self._rest = b""
        self._usage: Tokens | None = None
        self._deltas = 0
        self.finished = False

    def feed(self, chunk: bytes) -> bytes:
        """The part of the stream to hand on: whole events only."""
        self._rest += chunk
        if b"\r\n" in self._rest:
            self._rest = self._rest.replace(b"\r\n", b"\n")
        if b"\n\n" not in self._rest:
            return b""
        whole, _, self._rest = self._rest.rpartition(b"\n\n")
        events = whole.split(b"\n\n")
        return b"".join(event + b"\n\n" for event in events if self._passes(event))

    def rest(self) -> bytes:
        """What the model server sent after its last whole event."""
        return self._rest

    def tokens(self, prompt_estimate: int) -> Tokens:
        """What was produced so far."""
        if self._usage is not None:
            return self._usage
        return Tokens(prompt_estimate, self._deltas, reported=False)

    def _passes(self, event: bytes) -> bool:
        if not event.startswith(b"data:"):
            return True
        content = event[5:].strip()
        if content == b"[DONE]":
            self.finished = True
            return True
        try:
            parsed = json.loads(content)
        except ValueError:
            return True
        if not isinstance(parsed, dict):
            return True
        usage = reported(parsed.get("usage"))
        if usage is not None:
            self._usage = usage
        choices = parsed.get("choices")
        if choices:
            self._deltas += sum(1 for choice in choices if _carries_text(choice))
            return True
        only_usage = usage is not None and isinstance(choices, list)
        return self._client_wants_usage or not only_usage


def _carries_text(choice: object) -> bool:
    """Whether one streamed piece carries output; model servers send about a token in each."""
    if not isinstance(choice, dict):
        return False
    delta = choice.get("delta")
    if isinstance(delta, dict):
        return any(delta.get(name) for name in ("content", "reasoning_content", "tool_calls"))
    return bool(choice.get("text"))
