"""Every kind of movement that the product books has a word wherever tenants read of it."""

import ast
import re
from pathlib import Path

from billing.adapters.wording import CHINESE, ENGLISH, movement
from portal.console.statuses import STATUSES
from portal.console.wording import MOVEMENTS

ROOT = Path(__file__).resolve().parents[2]
KIND = re.compile(r"[a-z]+(_[a-z]+)*")
# They move neither the wallet nor what is owed, so no statement lists them.
ELSEWHERE = {"credit_lapsed", "package_used", "settlement_clawed_back", "voucher_granted"}


def booked() -> set[str]:
    """The codes that stand in calls of ``book`` and of what passes them on to it."""
    return {
        part.value
        for path in (ROOT / "billing" / "commands").glob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ("book", "_book", "_book_each")
        for part in ast.walk(call)
        if isinstance(part, ast.Constant)
        and isinstance(part.value, str)
        and KIND.fullmatch(part.value)
    }


def test_the_kinds_are_found_in_the_source() -> None:
    assert {"top_up", "invoice", "package_sold", "settlement_paid", "shortfall_paid"} <= booked()


def test_what_moves_a_tenants_balance_has_a_word_on_the_statement_in_both_languages() -> None:
    unnamed = [
        (kind, language)
        for kind in sorted(booked() - ELSEWHERE)
        for language in (ENGLISH, CHINESE)
        if movement(kind, language) == kind.replace("_", " ")
    ]
    assert unnamed == []
    assert booked() >= ELSEWHERE


def test_every_movement_has_a_word_and_a_look_in_the_console() -> None:
    assert sorted(booked() - MOVEMENTS.keys()) == []
    assert sorted(booked() - STATUSES.keys()) == []
