"""The client is a program of its own: it can be installed and used without the product."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "portal_client"
OURS = ("portal", "appliances", "compute", "billing", "tenants", "common")


def installed_modules() -> list[Path]:
    """The modules that the client's own pyproject installs."""
    stated = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = [PACKAGE.joinpath(*package.split(".")[1:]) for package in stated["packages"]]
    return [path for folder in folders for path in sorted(folder.glob("*.py"))]


def test_everything_but_the_generator_is_installed() -> None:
    everything = {path for path in PACKAGE.rglob("*.py") if "build" not in path.parts}
    assert everything - set(installed_modules()) == set((PACKAGE / "generating").glob("*.py"))
    assert (PACKAGE / "py.typed").exists()


def test_it_imports_nothing_but_python_httpx_and_itself() -> None:
    used = set()
    for path in installed_modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                used |= {one.name.split(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                used.add((node.module or "").split(".")[0])
    stated = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    assert [text.split(">")[0] for text in stated["dependencies"]] == ["httpx"]
    assert used - set(sys.stdlib_module_names) == {"httpx", "portal_client"}


def test_it_works_where_the_product_is_not(tmp_path: Path) -> None:
    (tmp_path / "portal_client").symlink_to(PACKAGE)
    forbidden = (*OURS, "django", "rest_framework", "yaml")
    asked = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({forbidden!r}))\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from portal_client.cli.main import main\n"
        "sys.exit(main(['--version']))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", asked],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("portalctl ")
