"""What a command of portalctl is: words, arguments, and one function."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from portal_client.calls import Download
from portal_client.cli.output import Said, Shown
from portal_client.cli.problems import UsageError
from portal_client.cli.words import say
from portal_client.client import Client


@dataclass(frozen=True)
class Argument:
    """One argument; ``options`` are argparse's own."""

    name: str
    says: str
    # argparse takes words of many types here.
    options: dict[str, Any] = field(default_factory=dict)


# What argparse gives is a bag of values whose types the arguments state.
Given = argparse.Namespace
Run = Callable[[Client, Given], Shown]


@dataclass(frozen=True)
class Command:
    """``portalctl <area> <verb>``."""

    area: str
    verb: str
    says: str
    run: Run
    arguments: Sequence[Argument] = ()


@dataclass(frozen=True)
class OwnCommand:
    """``portalctl <verb>``: about the sign-in itself, in a language, without a client yet."""

    verb: str
    says: str
    run: Callable[[Given, str], Shown]
    arguments: Sequence[Argument] = ()


def needed(name: str, says: str, **options: Any) -> Argument:
    return Argument(name, says, {"required": True, **options})


def optional(name: str, says: str, **options: Any) -> Argument:
    return Argument(name, says, options)


def place(name: str, says: str, **options: Any) -> Argument:
    """An argument without a dash."""
    return Argument(name, says, options)


def instant(text: str) -> datetime:
    """A time; one without an offset is this machine's own."""
    return datetime.fromisoformat(text).astimezone()


def amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error


def hours(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def end_of(given: Given) -> datetime:
    """Where a period ends that is stated by its end or its length."""
    end: datetime = given.until or given.start + timedelta(hours=given.hours)
    return end


def kept(document: Download, given: Given) -> Said:
    """Write a document to the asked place, over an old one only where that is said."""
    target = Path(given.output) if given.output else Path(document.name)
    try:
        with target.open("wb" if given.replace else "xb") as file:
            file.write(document.content)
    except FileExistsError as error:
        raise UsageError(say("{file} is there already; --replace it.", file=target)) from error
    except OSError as error:
        raise UsageError(say("{file} cannot be written.", file=target)) from error
    sentence = say("{file}: {size} bytes.", file=target, size=len(document.content))
    return Said(sentence, {"file": str(target), "bytes": len(document.content)})


START = needed("--start", "When it begins, such as 2026-12-01T08:00+08:00.", type=instant)
LENGTH = (
    optional("--hours", "How many hours.", type=hours, default=1),
    optional("--until", "When it ends, instead of hours.", type=instant),
)
FILE = (
    optional("--output", "Where to write it; under its own name here otherwise."),
    optional("--replace", "Write over an old file.", action="store_true"),
)
LIMIT = optional("--most", "How many rows at most.", type=hours, default=100)
