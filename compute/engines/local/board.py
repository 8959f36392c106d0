"""Who holds which declared card, and whether one more workload or reservation fits: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from compute.engines.local.records import Reservation, Run


@dataclass(frozen=True)
class DeclaredNode:
    """One node of the settings; all are this machine."""

    name: str
    gres: str
    cards: int


@dataclass(frozen=True)
class Placement:
    node: str
    cards: tuple[int, ...]


@dataclass(frozen=True)
class NotNow:
    """Why the workload does not run; ``final`` when waiting cannot help."""

    reason: str
    final: bool = False


@dataclass(frozen=True)
class Board:
    """One consistent reading of nodes, holders, rights and limits."""

    nodes: tuple[DeclaredNode, ...]
    runs: tuple[Run, ...]
    reservations: tuple[Reservation, ...]
    drained: frozenset[str] = frozenset()
    max_cards: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def nodes_of(self, gres: str) -> list[DeclaredNode]:
        return [node for node in self.nodes if node.gres == gres]

    def holders(self, node: str) -> list[Run]:
        return [run for run in self.runs if run.node == node and run.cards]

    def free_cards(self, node: DeclaredNode) -> list[int]:
        taken = {index for run in self.holders(node.name) for index in run.cards}
        return [index for index in range(node.cards) if index not in taken]

    def reservation(self, key: str) -> Reservation | None:
        return next((one for one in self.reservations if one.key == key), None)


def place(run: Run, board: Board, now: int) -> Placement | NotNow:
    """Where the workload may run at ``now``, else why it waits. It never gets part of its cards."""
    refusal = _project_limit(run, board)
    if refusal is not None:
        return refusal
    if run.reservation_key is not None:
        return _place_inside(run, board, now)
    until = None if run.time_limit_seconds is None else now + run.time_limit_seconds
    for node in board.nodes_of(run.gres):
        free = board.free_cards(node)
        spare = len(free) - _rights(board.reservations, board, node.name, now, until)
        if node.name not in board.drained and run.card_count <= spare:
            return Placement(node.name, tuple(free[: run.card_count]))
    return NotNow(f"Waiting for {run.card_count} free cards of {run.gres} on one node.")


def _place_inside(run: Run, board: Board, now: int) -> Placement | NotNow:
    reservation = board.reservation(run.reservation_key or "")
    if reservation is None or now >= reservation.ends_at:
        return NotNow("Its reservation has ended.", final=True)
    if now < reservation.starts_at:
        return NotNow("Its reservation has not begun.")
    for node in board.nodes_of(run.gres):
        free = board.free_cards(node)
        right = reservation.allocation.get(node.name, 0) - _used(reservation, board, node.name)
        if node.name not in board.drained and run.card_count <= min(right, len(free)):
            return Placement(node.name, tuple(free[: run.card_count]))
    return NotNow(f"Waiting for {run.card_count} free cards of its reservation on one node.")


def _project_limit(run: Run, board: Board) -> NotNow | None:
    limit = board.max_cards.get(run.project_key, {}).get(run.gres)
    if limit is None:
        return None
    held = sum(
        len(other.cards)
        for other in board.runs
        if other.project_key == run.project_key and other.gres == run.gres
    )
    if held + run.card_count <= limit:
        return None
    return NotNow(f"Its project may use {limit} cards of {run.gres} and uses {held}.")


def _used(reservation: Reservation, board: Board, node: str) -> int:
    held = [run for run in board.holders(node) if run.reservation_key == reservation.key]
    return sum(len(run.cards) for run in held)


def _rights(
    reservations: Iterable[Reservation], board: Board, node: str, start: int, end: int | None
) -> int:
    """The most cards of a node that reservations may still claim at one instant of a stretch."""
    touching = [
        one
        for one in reservations
        if one.ends_at > start and (end is None or one.starts_at < end) and node in one.allocation
    ]
    instants = {start, *(one.starts_at for one in touching if one.starts_at > start)}
    return max(
        sum(
            max(0, one.allocation[node] - _used(one, board, node))
            for one in touching
            if one.covers(moment)
        )
        for moment in instants
    )


def allocate(asked: Reservation, cards: int, names: Iterable[str], board: Board) -> dict[str, int]:
    """How many cards on which node the reservation gets: all it asked for, or none at all.

    Shape: the nodes with most room first, so that a reservation is spread as little as possible.
    """
    wanted = set(names)
    others = [one for one in board.reservations if one.key != asked.key]
    room: dict[str, int] = {}
    for node in board.nodes_of(asked.gres):
        if (wanted and node.name not in wanted) or node.name in board.drained:
            continue
        held = sum(len(run.cards) for run in board.holders(node.name) if _stays(run, asked, board))
        rights = _rights(others, board, node.name, asked.starts_at, asked.ends_at)
        room[node.name] = node.cards - held - rights
    allocation: dict[str, int] = {}
    for name in sorted(room, key=lambda one: (-room[one], one)):
        take = min(room[name], cards - sum(allocation.values()))
        if take > 0:
            allocation[name] = take
    return allocation if sum(allocation.values()) == cards else {}


def _stays(run: Run, asked: Reservation, board: Board) -> bool:
    """Whether a holder of cards may still hold them when the reservation begins.

    What runs inside another reservation holds its cards beside the rights still unused, until that
    reservation ends; what runs inside this one is part of it.
    """
    if run.reservation_key is not None:
        own = board.reservation(run.reservation_key)
        return run.reservation_key != asked.key and own is not None and own.covers(asked.starts_at)
    if run.time_limit_seconds is None or run.started_at is None:
        return True
    return run.started_at + run.time_limit_seconds > asked.starts_at
