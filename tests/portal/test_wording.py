"""Codes of the domain that pages show have a word in the reader's language."""

from billing.queries.invariants import INVARIANTS
from compute.queries.invariants import CHECKS
from portal.console.wording import ACTORS, RULES
from tenants.permissions import ActorKind


def test_every_rule_that_is_checked_has_its_words() -> None:
    assert set(RULES) == {*INVARIANTS, *CHECKS}


def test_every_kind_of_actor_has_its_word() -> None:
    assert set(ACTORS) == {kind.value for kind in ActorKind}
