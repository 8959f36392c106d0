"""How fast will it answer? A roofline estimate; pure arithmetic, every default named.

Source: docs/algorithms/fit.md, second part. A measured row replaces these numbers.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

GIB: Final = Decimal(2**30)
GIGA: Final = Decimal(10**9)
TERA: Final = Decimal(10**12)
# Shares of the nominal figure that engines reach: assumed, with the range they are seen in.
BANDWIDTH_SHARE: Final = Decimal("0.50")  # 0.40 to 0.65
COMPUTE_SHARE: Final = Decimal("0.40")  # 0.30 to 0.50
SPLIT_SHARE: Final = Decimal("0.90")  # 0.80 to 0.95


@dataclass(frozen=True)
class Work:
    """What one model reads and computes. Units: GiB, bytes a token, billions of parameters."""

    weights_gib: Decimal
    kv_bytes_per_token: int
    active_params_b: Decimal


@dataclass(frozen=True)
class Cards:
    """Cards working together. Units: GB/s and dense TFLOPS of one card, nominal."""

    count: int
    bandwidth_gbps: Decimal
    tflops: Decimal


def seconds_per_token(work: Work, cards: Cards, sessions: int, tokens: int) -> Decimal:
    """One decoding step with so many sessions of so many tokens: all weights and caches read."""
    read = work.weights_gib * GIB + Decimal(sessions) * work.kv_bytes_per_token * tokens
    return read / (cards.count * cards.bandwidth_gbps * GIGA * BANDWIDTH_SHARE * SPLIT_SHARE)


def tokens_per_second(work: Work, cards: Cards, sessions: int, tokens: int) -> Decimal:
    """Of all sessions together."""
    return sessions / seconds_per_token(work, cards, sessions, tokens)


def prefill_tokens_per_second(work: Work, cards: Cards) -> Decimal:
    """How fast a prompt is read, without the part that grows with its length."""
    flops = cards.count * cards.tflops * TERA * COMPUTE_SHARE * SPLIT_SHARE
    return flops / (2 * work.active_params_b * GIGA)


def sessions_within(
    work: Work, cards: Cards, *, tokens: int, least_tokens_per_second: Decimal, most: int
) -> int:
    """The most sessions for which each still gets its speed; 0 where not even one does."""
    fine = 0
    for sessions in range(1, most + 1):
        if 1 / seconds_per_token(work, cards, sessions, tokens) < least_tokens_per_second:
            break
        fine = sessions
    return fine
