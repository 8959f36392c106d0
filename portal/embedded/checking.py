"""``test``: every check of the product, the same here and in CI.

Shape: the list in ``steps`` is the only one. All steps run even when one fails; the exit code is
that of the whole.
"""

import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from portal.embedded.chromium import chromium
from portal.embedded.postgres import embedded_postgres
from portal.embedded.processes import Supervisor
from portal.embedded.running import manage, say, start_database
from portal.embedded.state import ROOT

CODE = ("portal", "appliances", "compute", "billing", "tenants", "common", "portal_client")
OPENAPI = ROOT / "docs" / "openapi.yaml"
# In one language, whatever catalogues are compiled here.
OPENAPI_COMMAND = ("spectacular", "--lang", "en", "--validate", "--fail-on-warn", "--file")
NO_TESTS = 5
SIGN_IN = "portal_checked"
# Markers whose tests need a program that a machine may lack.
PROGRAMS = {"redis": "redis-server", "curl": "curl"}
MARKERS_OF_FULL = ("slurm", "trace", "focus_validator", "crashes", "mutations", "older")


@dataclass(frozen=True)
class Step:
    """One check: a command, and what must hold besides its exit code."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None
    # A command's result that must equal a committed file.
    result: Path | None = None
    committed: Path | None = None


@dataclass(frozen=True)
class Outcome:
    name: str
    passed: bool
    seconds: float
    remark: str = ""


def check(*, full: bool, pytest_arguments: Sequence[str]) -> int:
    """Run the checks against a PostgreSQL of their own; give 0 only when all of them pass."""
    folder = Path(tempfile.mkdtemp(prefix="portal-test-"))
    try:
        environment = _environment(folder, browser=not full)
        given = os.environ.get("DATABASE_URL")
        database = None if given else embedded_postgres(folder, durable=False)
        if database:
            environment["DATABASE_URL"] = database.url
        with Supervisor(str(folder), environment, folder / "logs", say) as supervisor:
            if database:
                start_database(supervisor, database)
            planned = steps(
                folder,
                database_url=environment["DATABASE_URL"],
                full=full,
                pytest_arguments=pytest_arguments,
            )
            outcomes = [_outcome(supervisor, step) for step in planned]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _conclude(outcomes)


def steps(
    folder: Path, *, database_url: str, full: bool, pytest_arguments: Sequence[str]
) -> list[Step]:
    """What is checked, in order. With pytest arguments, or in the full part, only pytest."""
    catalogues = Step("catalogues compile", manage("compilecatalogues"))
    if full or pytest_arguments:
        return [catalogues, _pytest(full=full, arguments=pytest_arguments)]
    python = sys.executable
    found = folder / "openapi.yaml"
    return [
        Step("ruff check", [python, "-m", "ruff", "check", "."]),
        Step("ruff format", [python, "-m", "ruff", "format", "--check", "."]),
        Step("imports", [str(Path(python).parent / "lint-imports")]),
        Step("mypy", [python, "-m", "mypy", *CODE, "start.py", "manage.py"]),
        catalogues,
        Step("migrations apply", manage("migrate", "--database", "owner", "--verbosity", "0")),
        Step("migrations complete", manage("makemigrations", "--check", "--dry-run")),
        Step(
            "deploy check",
            manage("check", "--deploy", "--fail-level", "WARNING"),
            environment=_production(database_url),
            prepare=partial(_make_sign_in, database_url),
        ),
        Step(
            "OpenAPI",
            manage(*OPENAPI_COMMAND, str(found)),
            result=found,
            committed=OPENAPI,
        ),
        _pytest(full=False, arguments=()),
    ]


def _pytest(*, full: bool, arguments: Sequence[str]) -> Step:
    chosen = "full pytest" if full else "pytest"
    argv = [sys.executable, "-m", "pytest", "-q"]
    if full:
        argv += ["-m", " or ".join((*MARKERS_OF_FULL, "redis"))]
    elif "-m" not in arguments:
        left_out = _left_out()
        say(f"Left to CI's full part (.ci/full): tests marked {', '.join(left_out)}.")
        argv += ["-m", " and ".join(f"not {marker}" for marker in left_out)]
    if not arguments and not full:
        argv += ["-n", "2"]
    return Step(chosen, [*argv, *arguments])


def _left_out() -> list[str]:
    """Markers whose tests need what a newcomer's machine does not have, or minutes of it."""
    missing = [marker for marker, program in PROGRAMS.items() if not shutil.which(program)]
    return [*MARKERS_OF_FULL, *missing]


def _environment(folder: Path, *, browser: bool) -> dict[str, str]:
    given = dict(os.environ)
    for name in ("CELERY_BROKER_URL", "REDIS_URL", "DATABASE_OWNER_URL"):
        given.pop(name, None)
    given["PORTAL_STATE_DIR"] = str(folder)
    given["DJANGO_SETTINGS_MODULE"] = "portal.settings.test"
    if browser:
        given["PORTAL_CHROMIUM"] = chromium()
    return given


def _make_sign_in(owner_url: str) -> None:
    """The application's own sign-in, which production has and one machine does without."""
    with psycopg.connect(owner_url, autocommit=True) as server:
        found = server.execute("SELECT FROM pg_roles WHERE rolname = %s", [SIGN_IN]).fetchone()
        if found is None:
            name = sql.Identifier(SIGN_IN)
            grant = sql.SQL("CREATE ROLE {} LOGIN IN ROLE acp_app, acp_operator")
            server.execute(grant.format(name))


def _production(owner_url: str) -> dict[str, str]:
    """Made-up values of everything production demands."""
    given = conninfo_to_dict(owner_url)
    host, port = given.get("host") or "", given.get("port") or "5432"
    query = urlencode({"host": host, "port": port})
    return {
        "DATABASE_URL": f"postgresql://{SIGN_IN}@/{given['dbname']}?{query}",
        "DATABASE_OWNER_URL": owner_url,
        "DJANGO_SETTINGS_MODULE": "portal.settings.prod",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "ALLOWED_HOSTS": "centre.example.org",
        "PUBLIC_URL": "https://centre.example.org",
        "CELERY_BROKER_URL": "redis://localhost:6379/0",
    }


def _outcome(supervisor: Supervisor, step: Step) -> Outcome:
    say(f"\n== {step.name}")
    started_at = time.monotonic()
    if step.prepare:
        step.prepare()
    code = supervisor.once(step.argv, extra=step.environment)
    remark = ""
    if code == NO_TESTS and "pytest" in step.name:
        remark = "no test was found"
    elif code == 0 and step.result and step.committed:
        code, remark = _compare(step.result, step.committed)
    return Outcome(step.name, code == 0, time.monotonic() - started_at, remark)


def _compare(result: Path, committed: Path) -> tuple[int, str]:
    name = committed.relative_to(ROOT)
    if not committed.exists():
        return 0, f"{name} is not there yet"
    if result.read_text() != committed.read_text():
        return 1, f"{name} differs from the code; make openapi writes it"
    return 0, ""


def _conclude(outcomes: Sequence[Outcome]) -> int:
    say("\n== summary")
    for outcome in outcomes:
        word = "passed" if outcome.passed else "FAILED"
        remark = f"  ({outcome.remark})" if outcome.remark else ""
        say(f"{word}  {outcome.name:<20} {outcome.seconds:6.1f} s{remark}")
    failed = [outcome.name for outcome in outcomes if not outcome.passed]
    say(f"Failed: {', '.join(failed)}." if failed else "Everything passed.")
    return 1 if failed else 0
