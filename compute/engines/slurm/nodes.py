"""Nodes: what there is, and keeping work away from it."""

from compute.engines import EngineRefused, NodeFact
from compute.engines.slurm.commands import Commands
from compute.engines.slurm.parsing import cards, fields, node_state, one_kind, present


def node_fact(line: str) -> NodeFact:
    """A node of one line of ``scontrol -o show node``.

    A node with cards of several types is told by its first type; the portal sells such nodes
    only after the site has split them.
    """
    found = fields(line)
    gres, count = one_kind(found.get("CfgTRES", ""))
    return NodeFact(
        name=found["NodeName"],
        gres=gres,
        cards=count,
        cards_allocated=cards(found.get("AllocTRES", "")).get(gres, 0),
        state=node_state(found.get("State", "UNKNOWN")),
        reason=present(found.get("Reason", "")),
        cpus=int(found.get("CPUTot", "0")),
        memory_mib=int(found.get("RealMemory", "0")),
    )


def inventory(commands: Commands) -> tuple[NodeFact, ...]:
    """Every node that has cards."""
    lines = commands.ask("scontrol", "-o", "show", "node").splitlines()
    facts = [node_fact(line) for line in lines if line.startswith("NodeName=")]
    return tuple(fact for fact in facts if fact.cards)


def drain(commands: Commands, node: str, reason: str) -> None:
    """Take no new work on a node; running work goes on."""
    said = " ".join(reason.split()) or "drained"
    commands.ask("scontrol", "update", f"NodeName={_one(node)}", "State=DRAIN", f"Reason={said}")


def resume(commands: Commands, node: str) -> None:
    """Give a node back to work. Idempotent: Slurm calls it an error on a node that works."""
    answer = commands.attempt("scontrol", "update", f"NodeName={_one(node)}", "State=RESUME")
    if answer.refused and not answer.says("invalid node state"):
        raise EngineRefused(answer.complaint)


def _one(node: str) -> str:
    """Slurm would read ``ALL`` and lists as many nodes."""
    if not node or node.upper() == "ALL" or any(mark in node for mark in "[], \t\n"):
        raise EngineRefused(f"{node!r} is not the name of one node.")
    return node
