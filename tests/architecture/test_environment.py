"""The page for operators names every variable that the settings read, with its default."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "portal" / "settings"
PAGE = ROOT / "docs" / "running.md"
# Later ones win: production's own word comes last.
MODULES = ("dev.py", "base.py", "prod.py")
UNREAD = "(computed)"


def _read() -> dict[str, str]:
    """Every variable and its default as the page writes it."""
    found: dict[str, str] = {}
    for module in MODULES:
        for node in ast.walk(ast.parse((SETTINGS / module).read_text())):
            if _is_reading(node):
                name = ast.literal_eval(node.args[0])
                shown = _shown(name, node)
                if shown is not None:
                    found[name] = shown
    return found


def _is_reading(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
    )


def _shown(name: str, call: ast.Call) -> str | None:
    given = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
    if not given:
        return "required"
    default = given[0]
    if _is_reading(default):
        other = ast.literal_eval(default.args[0])
        # Asked for without a default, as its own: the inner call says that it is required.
        return None if other == name else f"as `{other}`"
    try:
        value = eval(ast.unparse(default), {"__builtins__": {}})  # literals and their products
    except NameError:
        return UNREAD
    if value == "":
        return "(empty)"
    return f"`{int(value) if isinstance(value, bool | int) else value}`"


def _written() -> dict[str, str]:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == len(dict(rows))
    return dict(rows)


def test_the_page_names_every_variable_and_no_other() -> None:
    assert sorted(_written()) == sorted(_read())


def test_the_page_gives_the_defaults_of_production() -> None:
    read, written = _read(), _written()
    assert {name: written[name] for name in read if read[name] != UNREAD} == {
        name: shown for name, shown in read.items() if shown != UNREAD
    }
