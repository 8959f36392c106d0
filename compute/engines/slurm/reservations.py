"""Reservations on named nodes of one card type.

Slurm 22.05 cannot reserve cards by count, and its reservations by node count may silently give
fewer nodes than asked. So the adapter names whole nodes, the fewest that cover the cards, reads
the reservation back, and deletes and refuses it on any difference. Where the cards are fewer than
the nodes have, a class of service (QOS) with the reservation's own name limits its work to the
contracted count. See docs/adr/0101-slurm-reservations-on-named-nodes.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from common.period import Period
from compute.engines import (
    EngineRefused,
    EngineUnavailable,
    NodeFact,
    NodeState,
    ReservationObservation,
    ReservationSpec,
)
from compute.engines.slurm.accounts import allow_only, card_limit, forget_limit
from compute.engines.slurm.commands import Commands
from compute.engines.slurm.nodes import inventory
from compute.engines.slurm.parsing import fields, hosts, instant, present
from compute.engines.slurm.settings import checked_key

FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Held:
    """A reservation as Slurm tells it."""

    name: str
    nodes: tuple[str, ...]
    accounts: tuple[str, ...]
    period: Period
    active: bool


def held(line: str) -> Held | None:
    """A reservation of one line of ``scontrol -o show reservation``; None for a line of none."""
    found = fields(line)
    start, end = instant(found.get("StartTime", "")), instant(found.get("EndTime", ""))
    if "ReservationName" not in found or start is None or end is None:
        return None
    return Held(
        name=found["ReservationName"],
        nodes=tuple(sorted(hosts(found.get("Nodes", "")))),
        accounts=tuple(name for name in present(found.get("Accounts", "")).split(",") if name),
        period=Period(start, end),
        active=found.get("State") == "ACTIVE",
    )


def ensure_reservation(
    commands: Commands, spec: ReservationSpec, now: datetime
) -> ReservationObservation:
    """Make or find the reservation; a start in the past becomes now.

    Idempotent: by name. One that is there with another end is moved to the asked end; any other
    difference is refused, and what is there stays.
    Raises: EngineRefused, also when no free nodes cover the cards; EngineUnavailable.
    """
    name, account = checked_key(spec.key), checked_key(spec.project_key)
    if spec.period.end <= now or spec.cards < 1:
        raise EngineRefused("The reservation is over, or of no cards.")
    nodes = {node.name: node for node in inventory(commands)}
    standing = _all(commands)
    found = next((one for one in standing if one.name == name), None)
    if found is None:
        start = max(spec.period.start, now).replace(microsecond=0)
        period = Period(start, spec.period.end.replace(microsecond=0))
        chosen = _choose(commands, spec, period, nodes, standing)
        found = _create(commands, spec, period, chosen, _cards_of(chosen, nodes))
    else:
        found = _agree(commands, spec, account, found, nodes)
    return ReservationObservation(
        key=name, nodes=found.nodes, cards=spec.cards, period=found.period, active=found.active
    )


def drop_reservation(commands: Commands, key: str) -> None:
    """Cancel what names the reservation, then delete it and its limit.

    Idempotent: what is missing is done. Slurm deletes no reservation in use, so while work is
    still ending the call is answered with EngineUnavailable and repeated by the caller.
    """
    name = checked_key(key)
    if any(one.name == name for one in _all(commands)):
        commands.attempt("scancel", f"--reservation={name}")
        answer = commands.attempt("scontrol", "delete", f"ReservationName={name}")
        if answer.refused and answer.says("in use"):
            raise EngineUnavailable(f"Work in the reservation {name} is still ending.")
        if answer.refused and not answer.says("reservation is invalid"):
            raise EngineRefused(answer.complaint)
    if card_limit(commands, name):
        forget_limit(commands, name)


def _all(commands: Commands) -> list[Held]:
    lines = commands.ask("scontrol", "-o", "show", "reservation").splitlines()
    return [one for one in map(held, lines) if one]


def _create(
    commands: Commands, spec: ReservationSpec, period: Period, nodes: Sequence[str], cards: int
) -> Held:
    if cards > spec.cards:  # the limit first, so that the reservation never stands without it
        limit = {"name": spec.key, "account": spec.project_key, "gres": spec.gres}
        allow_only(commands, **limit, count=spec.cards)
    answer = commands.attempt(
        "scontrol",
        "create",
        "reservation",
        f"ReservationName={spec.key}",
        f"StartTime=uts{int(period.start.timestamp())}",
        f"EndTime=uts{int(period.end.timestamp())}",
        f"Nodes={','.join(nodes)}",
        f"Accounts={spec.project_key}",
    )
    made = next((one for one in _all(commands) if one.name == spec.key), None)
    if made and not answer.refused and _is_as_asked(made, spec, period, nodes):
        return made
    if made and not (answer.refused and answer.says("duplicate")):
        drop_reservation(commands, spec.key)
    elif made is None and cards > spec.cards:
        forget_limit(commands, spec.key)
    if answer.refused and not spec.nodes and (answer.says("overlap") or answer.says("busy")):
        # The nodes were free when they were chosen: somebody was faster, so choose anew.
        raise EngineUnavailable(answer.complaint)
    if answer.refused:
        raise EngineRefused(answer.complaint)
    raise EngineRefused("Slurm gave another reservation than asked; it was deleted.")


def _is_as_asked(made: Held, spec: ReservationSpec, period: Period, nodes: Sequence[str]) -> bool:
    return (
        made.nodes == tuple(sorted(nodes))
        and made.accounts == (spec.project_key,)
        and made.period == period
    )


def _agree(
    commands: Commands,
    spec: ReservationSpec,
    account: str,
    found: Held,
    nodes: dict[str, NodeFact],
) -> Held:
    """The reservation that is there, when it is the one meant; its end follows the contract."""
    kinds = {nodes[name].gres for name in found.nodes if name in nodes}
    cards = _cards_of(found.nodes, nodes)
    named_otherwise = bool(spec.nodes) and tuple(sorted(spec.nodes)) != found.nodes
    limited = cards == spec.cards or card_limit(commands, spec.key) == {spec.gres: spec.cards}
    if found.accounts != (account,) or kinds != {spec.gres} or named_otherwise or not limited:
        raise EngineRefused(f"The cluster has another reservation named {spec.key}.")
    end = spec.period.end.replace(microsecond=0)
    if found.period.end == end:
        return found
    told = (f"ReservationName={spec.key}", f"EndTime=uts{int(end.timestamp())}")
    commands.ask("scontrol", "update", *told)
    moved = next((one for one in _all(commands) if one.name == spec.key), None)
    if moved is None or moved.period.end != end:
        raise EngineRefused("Slurm kept another end than asked.")
    return moved


def _choose(
    commands: Commands,
    spec: ReservationSpec,
    period: Period,
    nodes: dict[str, NodeFact],
    standing: Sequence[Held],
) -> tuple[str, ...]:
    """The nodes to name: the caller's, or the fewest free ones that cover the cards."""
    if spec.nodes:
        wrong = [name for name in spec.nodes if name not in nodes or nodes[name].gres != spec.gres]
        if wrong or _cards_of(spec.nodes, nodes) < spec.cards:
            raise EngineRefused("The named nodes do not have the cards.")
        return tuple(spec.nodes)
    taken = {name for one in standing if one.period.overlaps(period) for name in one.nodes}
    taken |= _busy_at(commands, period.start)
    untaken = [node for node in nodes.values() if node.gres == spec.gres and node.name not in taken]
    return fewest_covering(untaken, spec.cards)


def fewest_covering(untaken: Sequence[NodeFact], cards: int) -> tuple[str, ...]:
    """The fewest working nodes with at least so many cards, the last one as small as will do.

    Raises: EngineRefused, where all together have too few; EngineUnavailable, where they would
    have enough once nodes that are down came back, as all are just after slurmctld restarted.
    """
    left, names = cards, list[str]()
    free = [node for node in untaken if node.state is NodeState.UP]
    down = sum(node.cards for node in untaken if node.state is NodeState.DOWN)
    pool = sorted(free, key=lambda node: (-node.cards, node.name))
    while left > 0:
        if not pool and down >= left:
            raise EngineUnavailable(f"{left} of {cards} cards are on nodes that are down.")
        if not pool:
            raise EngineRefused(f"Free nodes lack {left} of {cards} cards.")
        enough = [node for node in pool if node.cards >= left]
        node = min(enough, key=lambda one: (one.cards, one.name)) if enough else pool[0]
        pool.remove(node)
        names.append(node.name)
        left -= node.cards
    return tuple(sorted(names))


def _busy_at(commands: Commands, start: datetime) -> set[str]:
    """Nodes with work that is not sure to have ended at ``start``."""
    states = "--states=RUNNING,COMPLETING,SUSPENDED,CONFIGURING"
    lines = commands.ask("squeue", "--noheader", states, "--format=%e|%N").splitlines()
    rows = [line.partition("|") for line in lines]
    return {
        name
        for end, _, nodes in rows
        if (instant(end) or FOR_EVER) > start
        for name in hosts(nodes)
    }


def _cards_of(names: Sequence[str], nodes: dict[str, NodeFact]) -> int:
    return sum(nodes[name].cards for name in names if name in nodes)
