"""Slurm's fixed formats, turned into values at the edge. Pure: no call, no clock.

Source: outputs of Slurm 22.05.8, recorded in tests/contracts/recorded/slurm-22.05.8.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from compute.engines import NodeState, WorkloadState

_FIELD = re.compile(r"(?:^|\s)([A-Z][\w:/]*)=")
_HOST_GROUP = re.compile(r"([^,\[\]]+)(?:\[([^\]]+)\])?([^,\[\]]*)")
_CARDS = re.compile(r"gres/gpu(?::([^=,]+))?=(\d+)")
_NOTHING = ("", "(null)", "N/A", "None", "None assigned", "Unknown", "UNKNOWN", "NONE")

_PENDING = ("PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "CONFIGURING")
_RUNNING = (
    "RUNNING",
    "COMPLETING",
    "SUSPENDED",
    "STOPPED",
    "SIGNALING",
    "STAGE_OUT",
    "RESIZING",
)
# Ended by their own will, by ours, or by a limit that was asked for.
_ENDED = ("COMPLETED", "CANCELLED", "TIMEOUT", "PREEMPTED")

_GONE = (
    "DOWN",
    "NOT_RESPONDING",
    "FAIL",
    "FAILING",
    "INVAL",
    "INVALID_REG",
    "UNKNOWN",
    "FUTURE",
    "ERROR",
)
_OCCUPIED = ("ALLOCATED", "MIXED", "COMPLETING")


def present(text: str) -> str:
    """The text, or nothing where Slurm prints one of its words for nothing."""
    text = text.strip()
    return "" if text in _NOTHING else text


def instant(text: str) -> datetime | None:
    """An epoch second as an instant; None for Slurm's words for "not yet" and "never"."""
    text = text.strip()
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() and int(text) else None


def fields(line: str) -> dict[str, str]:
    """One line of ``scontrol -o``, name to value; values may hold blanks.

    The first of two equal names counts: a free text (Reason, Comment) comes late in the line and
    must not be able to replace what stands before it.
    """
    found: dict[str, str] = {}
    marks = list(_FIELD.finditer(line))
    for nth, mark in enumerate(marks):
        end = marks[nth + 1].start() if nth + 1 < len(marks) else len(line)
        found.setdefault(mark[1], line[mark.end() : end].strip())
    return found


def hosts(expression: str) -> tuple[str, ...]:
    """Node names of Slurm's short form: ``a-[001-002,7],b`` is a-001, a-002, a-7 and b."""
    if not present(expression):
        return ()
    names: list[str] = []
    for group in _HOST_GROUP.finditer(expression):
        prefix, ranges, suffix = group[1], group[2], group[3]
        numbers = list(_numbers(ranges)) if ranges else [""]
        names += [f"{prefix}{number}{suffix}" for number in numbers]
    return tuple(names)


def _numbers(ranges: str) -> Iterator[str]:
    for one in ranges.split(","):
        first, _, last = one.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield str(number).zfill(len(first))


def cards(tres: str) -> dict[str, int]:
    """Card type to count of a TRES text; cards that carry no type are under ``gpu``."""
    counts = {name or "gpu": int(count) for name, count in _CARDS.findall(tres)}
    if len(counts) > 1:
        counts.pop("gpu", None)
    return counts


def one_kind(tres: str) -> tuple[str, int]:
    """The card type and count of a TRES text that names one kind; ("", 0) without cards."""
    return next(iter(sorted(cards(tres).items())), ("", 0))


def exit_code(text: str) -> int | None:
    """A shell's exit status of Slurm's "code:signal"; None where there is none."""
    code, _, signal = text.strip().partition(":")
    if not code.isdigit():
        return None
    return 128 + int(signal) if signal.isdigit() and int(signal) else int(code)


def workload_state(text: str) -> WorkloadState:
    """The port's state of a job state, such as ``CANCELLED by 1000``."""
    word = text.split(maxsplit=1)[0].rstrip("+") if text.strip() else ""
    if word in _PENDING:
        return WorkloadState.PENDING
    if word in _RUNNING:
        return WorkloadState.RUNNING
    return WorkloadState.ENDED if word in _ENDED else WorkloadState.FAILED


def node_state(text: str) -> NodeState:
    """The port's state of a node state with its flags, such as ``MIXED+DRAIN`` or ``IDLE*``.

    The flags count before the base: a node that died with work on it stays MIXED for a while.
    """
    words = set(text.replace("*", "+NOT_RESPONDING").split("+"))
    if words & set(_GONE):
        return NodeState.DOWN
    if "DRAIN" in words:
        return NodeState.DRAINING if words & set(_OCCUPIED) else NodeState.DRAINED
    return NodeState.UP


def published(comment: str) -> dict[str, object]:
    """What our batch script wrote into its job's comment; nothing for anybody else's comment."""
    try:
        value = json.loads(comment)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
