"""The most tokens a call may take, before anybody has read it.

A token of a text is at least one byte of it, so the body's length bounds what goes in; what comes
out is bounded by what the call asks for, or by what the gateway asks for in its place.
"""

from collections.abc import Mapping
from typing import Any

from portal.gateway.holds import Bound

# What a model's template puts around the messages, in tokens.
TEMPLATE_TOKENS = 256
DEFAULT_OUTPUT_TOKENS = 4096
PRODUCING_PATHS = frozenset({"/v1/chat/completions", "/v1/completions"})
CAPS = ("max_tokens", "max_completion_tokens")


# One parsed JSON object of a client: its values may be anything.
def bound_of(path: str, body: Mapping[str, Any], length: int) -> Bound:
    """Units: ``length`` in bytes."""
    tokens_in = length + TEMPLATE_TOKENS
    if path not in PRODUCING_PATHS:
        return Bound(tokens_in, 0)
    asked = [body[name] for name in CAPS if _is_count(body.get(name))]
    each = max(asked) if asked else DEFAULT_OUTPUT_TOKENS
    answers = max((body[name] for name in ("n", "best_of") if _is_count(body.get(name))), default=1)
    prompts = body.get("prompt")
    # A list of prompts gets an answer each; a list of numbers is one prompt in tokens.
    many = len(prompts) if isinstance(prompts, list) and not _is_tokens(prompts) else 1
    return Bound(tokens_in, each * max(answers, 1) * max(many, 1))


def capped(path: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The body with the default cap where it has none; None where nothing has to change."""
    if path not in PRODUCING_PATHS or any(body.get(name) is not None for name in CAPS):
        return None
    return {**body, "max_tokens": DEFAULT_OUTPUT_TOKENS}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40


def _is_tokens(prompts: list[Any]) -> bool:
    return bool(prompts) and all(_is_count(one) for one in prompts)
