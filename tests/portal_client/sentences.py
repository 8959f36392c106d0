"""What portalctl can say, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

CLI = Path(__file__).resolve().parents[2] / "portal_client" / "cli"
# Calls whose text is translated, and which of their arguments that is.
SPEAKERS = {
    "say": 0,
    "needed": 1,
    "optional": 1,
    "place": 1,
    "OwnCommand": 1,
    "Command": 2,
}


def _trees() -> Iterator[ast.Module]:
    for path in sorted(CLI.glob("*.py")):
        if path.name != "chinese.py":
            yield ast.parse(path.read_text(encoding="utf-8"))


def sentences() -> set[str]:
    """Every sentence, as it stands in the English source."""
    found = set()
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                position = SPEAKERS.get(node.func.id)
                if position is not None and len(node.args) > position:
                    text = node.args[position]
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        found.add(text.value)
            if _is_complaints(node):
                found |= {told for _form, told in ast.literal_eval(node.value)}
    return found


def _is_complaints(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "COMPLAINTS"
    )


def columns() -> set[str]:
    """Every column of every table and sheet: the tuples named in capitals, and those in calls."""
    found = set()
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in {"Rows", "Sheet"} and len(node.args) > 1:
                    found |= _strings(node.args[1])
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name.isupper() and name not in {"NEEDED", "OPTIONAL", "COMPLAINTS"}:
                    found |= _strings(node.value)
    return found


def _strings(node: ast.AST) -> set[str]:
    """The words of a tuple of words; nothing of any other expression."""
    if not isinstance(node, ast.Tuple):
        return set()
    parts = [part.value if isinstance(part, ast.Starred) else part for part in node.elts]
    words = {
        part.value
        for part in parts
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }
    inner = [_strings(part) for part in parts if isinstance(part, ast.Tuple)]
    nested = any(isinstance(part, ast.Tuple) and not _strings(part) for part in parts)
    return set() if nested else words.union(*inner)
