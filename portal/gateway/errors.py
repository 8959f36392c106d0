"""Refusals in the shape the OpenAI clients read, and the status each one travels with."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from portal.gateway.money import Limit


@dataclass(frozen=True)
class Refusal(Exception):
    """A call that is not served, told as an OpenAI error object.

    Shape: ``headers`` are lower-case pairs beside the body.
    """

    status: int
    code: str
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = field(default=())

    def body(self) -> bytes:
        error = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        # Escaped to ASCII: a client may name a model with half a character, which has no bytes.
        return json.dumps({"error": error}).encode()


# Clients retry a 429 by themselves; without money that only delays the news.
NO_RETRY = ((b"x-should-retry", b"false"),)


def unknown_key() -> Refusal:
    return Refusal(
        401,
        "invalid_api_key",
        "No valid API key was given. Send it as 'Authorization: Bearer <key>'.",
        headers=((b"www-authenticate", b"Bearer"),),
    )


def key_may_not_call() -> Refusal:
    return Refusal(
        403,
        "permission_refused",
        "This key may not call models: it lacks the scope appliances:model:call.",
        type="permission_error",
    )


def unknown_model(model: str) -> Refusal:
    """One answer for a missing model and for somebody else's."""
    return Refusal(
        404, "model_not_found", f"The model '{model[:100]}' does not exist.", param="model"
    )


def model_not_allowed(model: str) -> Refusal:
    return Refusal(
        403,
        "model_not_allowed",
        f"This key may not call the model '{model}'.",
        type="permission_error",
        param="model",
    )


def no_budget() -> Refusal:
    return Refusal(
        429,
        "insufficient_quota",
        "The organisation has no funds left for model calls. Top up the wallet and try again.",
        type="insufficient_quota",
        headers=NO_RETRY,
    )


def budget_reached(limit: Limit, left: Decimal, needed: Decimal) -> Refusal:
    """The customer's own limit, which waiting a moment does not change."""
    of = {"tenant": "organisation", "key": "API key"}.get(limit.scope, limit.scope)
    return Refusal(
        429,
        "budget_reached",
        f"The monthly budget of this {of} does not allow the call: of {limit.amount:.2f} "
        f"{limit.currency} net {left:.4f} are left, and the call may cost up to {needed:.4f}. "
        "Raise the budget, ask for fewer tokens with 'max_tokens', or wait for the next month.",
        type="insufficient_quota",
        headers=NO_RETRY,
    )


def in_arrears(code: str, needed: str, until: datetime | None) -> Refusal:
    """The models are stopped because the organisation owes money; not a matter of quota.

    Shape: ``needed`` is an amount with its currency.
    """
    kept = f" What was stopped is kept until {until.isoformat()}." if until else ""
    return Refusal(
        402,
        code,
        f"The organisation is in arrears and its models are stopped: {needed} are "
        f"needed. Top up the wallet to have them started again.{kept}",
        type="arrears",
        headers=NO_RETRY,
    )


def too_many(seconds: int) -> Refusal:
    return Refusal(
        429,
        "rate_limit_exceeded",
        f"This key has reached its requests per minute. Try again in {seconds} s.",
        type="rate_limit_error",
        headers=((b"retry-after", str(seconds).encode()),),
    )


def malformed(message: str, param: str | None = None) -> Refusal:
    return Refusal(400, "invalid_body", message, param=param)


def too_large(limit_bytes: int) -> Refusal:
    return Refusal(413, "request_too_large", f"The body is larger than {limit_bytes} bytes.")


def unknown_route(path: str) -> Refusal:
    return Refusal(404, "unknown_url", f"Unknown request URL: {path[:200]}.")


def wrong_method(method: str, allowed: str) -> Refusal:
    return Refusal(
        405,
        "method_not_allowed",
        f"{method[:20]} is not possible here; use {allowed}.",
        headers=((b"allow", allowed.encode()),),
    )


def unsupported_by_model(model: str) -> Refusal:
    return Refusal(
        400, "unsupported_by_model", f"The model '{model}' does not serve this.", param="model"
    )


def model_unreachable() -> Refusal:
    return Refusal(
        503,
        "model_unavailable",
        "The model server does not answer. Try again in a moment.",
        type="server_error",
        headers=((b"retry-after", b"2"),),
    )


def model_broke() -> Refusal:
    return Refusal(
        502, "model_failed", "The model server broke off its answer.", type="server_error"
    )


def model_too_slow() -> Refusal:
    return Refusal(
        504, "model_timeout", "The model server took too long to answer.", type="server_error"
    )


def not_ready(message: str) -> Refusal:
    return Refusal(
        503,
        "gateway_not_ready",
        message,
        type="server_error",
        headers=((b"retry-after", b"5"),),
    )
