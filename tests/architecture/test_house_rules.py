"""The house rules of docs/style.md that a machine can check, read from the source itself."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("portal", "appliances", "compute", "billing", "tenants", "common", "portal_client")
FUNCTION_LINES = 70
MODULE_LINES = 400
COMMON_LINES = 600


def _modules(*apps: str) -> list[Path]:
    return [
        path
        for app in apps
        for path in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_function_is_longer_than_the_limit() -> None:
    long = [
        f"{_name(path)}:{node.name}"
        for path in _modules(*APPS)
        for node in _functions(path)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    ]
    assert long == []


def test_no_module_is_longer_than_the_limit() -> None:
    long = [_name(p) for p in _modules(*APPS) if len(p.read_text().splitlines()) > MODULE_LINES]
    assert long == []


def test_common_stays_small() -> None:
    assert sum(len(p.read_text().splitlines()) for p in _modules("common")) <= COMMON_LINES


def test_nothing_is_imported_inside_a_function_except_in_ready() -> None:
    deferred = [
        f"{_name(path)}:{node.name}"
        for path in _modules(*APPS)
        for node in _functions(path)
        if node.name != "ready"
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert deferred == []


def test_billing_knows_no_binary_fractions() -> None:
    guilty = [_name(p) for p in _modules("billing") if re.search(r"\bfloat\(", p.read_text())]
    assert guilty == []


def test_the_centres_time_zone_is_made_in_one_place() -> None:
    spelled = re.compile(r"ZoneInfo\(\s*settings\.")
    makers = [_name(path) for path in _modules(*APPS) if spelled.search(path.read_text())]
    assert makers == ["common/zone.py"]


@pytest.mark.parametrize("app", ["tenants", "billing", "compute", "appliances"])
def test_commands_never_save_a_whole_row(app: str) -> None:
    bare = [
        f"{_name(path)}:{node.lineno}"
        for path in _modules(app)
        if "commands" in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "save"
        # A new row is nobody's yet; an old one is written column by column.
        and not any(k.arg in {"update_fields", "force_insert"} for k in node.keywords)
    ]
    assert bare == []


def test_every_public_module_says_what_it_is_for() -> None:
    silent = [
        _name(path)
        for path in _modules(*APPS)
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []


# What cities give, what the tax bureau prints and what an estimate is made of is in yuan.
IN_YUAN = {
    "console/fapiao/page.html",
    "console/operator/applications.html",
    "console/operator/fapiao_queue.html",
    "console/operator/leakage.html",
    "console/operator/schemes.html",
    "console/operator/settlement.html",
    "console/operator/settlements.html",
    "console/wallet/apply.html",
    "styleguide/components.html",
}


def test_every_amount_on_a_page_says_its_currency() -> None:
    silent, fixed = [], set()
    for path in sorted((ROOT / "templates").rglob("*.html")):
        name, text = str(path.relative_to(ROOT / "templates")), path.read_text()
        silent += [name] * len(re.findall(r"\|money(?!:)", text))
        if re.search(r"\bCNY\b", re.sub(r"translate \"[^\"]*\"|_\(\"[^\"]*\"\)", "", text)):
            fixed.add(name)
    assert silent == []
    assert fixed == IN_YUAN
