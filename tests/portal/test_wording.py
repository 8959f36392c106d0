"""Codes of the domain that pages show have a word in the reader's language."""

from billing.queries.invariants import INVARIANTS
from compute.queries import invariants as of_compute
from portal.console.wording import ACTORS, RULES
from tenants.permissions import ActorKind
from tenants.queries import invariants as of_tenants


def test_every_rule_that_is_checked_has_its_words() -> None:
    assert set(RULES) == {*INVARIANTS, *of_compute.CHECKS, *of_tenants.CHECKS}


def test_every_kind_of_actor_has_its_word() -> None:
    assert set(ACTORS) == {kind.value for kind in ActorKind}
