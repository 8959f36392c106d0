"""The connection settings of a cluster of this kind."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compute.engines import EngineRefused
from compute.engines.local.board import DeclaredNode
from compute.engines.local.folder import safe_name

DEFAULT_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Settings:
    """Where the state is kept and which nodes the machine pretends to be.

    Shape: ``nodes`` is a JSON list of {"name", "gres", "cards"}.
    """

    state_dir: Path
    nodes: tuple[DeclaredNode, ...]
    nodes_text: str
    timeout_seconds: float

    @classmethod
    def of(cls, connection: Mapping[str, str]) -> "Settings":
        """Raises: EngineRefused, naming the setting that is missing or malformed."""
        if not connection.get("state_dir"):
            raise EngineRefused("The setting state_dir is missing.")
        text = connection.get("nodes", "[]")
        try:
            nodes = tuple(_node(row) for row in json.loads(text))
            timeout = float(connection.get("timeout_seconds", DEFAULT_TIMEOUT_SECONDS))
        except (ValueError, TypeError, KeyError) as error:
            raise EngineRefused(
                f"The settings nodes or timeout_seconds are malformed: {error}"
            ) from error
        if len({node.name for node in nodes}) != len(nodes):
            raise EngineRefused("Two nodes of the setting nodes have the same name.")
        return cls(Path(connection["state_dir"]).absolute(), nodes, text, timeout)


def _node(row: Mapping[str, object]) -> DeclaredNode:
    cards = int(str(row["cards"]))
    if cards < 1:
        raise ValueError(f"{row['name']} needs at least one card")
    return DeclaredNode(name=safe_name(str(row["name"])), gres=str(row["gres"]), cards=cards)
