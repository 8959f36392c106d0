"""``run``: bring everything up, do the main job, stay until Ctrl-C."""

import http.client
import importlib.util
import os
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from portal.embedded.ports import LOOPBACK, chosen_port
from portal.embedded.postgres import STOP_SIGNAL, EmbeddedPostgres, embedded_postgres
from portal.embedded.processes import DATABASE, Plan, Supervisor
from portal.embedded.refusal import Refusal, StopAsked
from portal.embedded.state import ROOT, kept_secret, only_one, state_folder

APPS = ("portal", "appliances", "compute", "billing", "tenants")
QUEUES = "engine,billing,notify"
INTERRUPTED = 130
# Less than the supervisor's patience, after which a process is killed.
GATEWAY_GRACE_SECONDS = 5


def run(*, once: bool, bare: bool) -> int:
    """Start everything; with ``once`` end with the main job's exit code, ``bare`` without it."""
    started_at = time.monotonic()
    folder = state_folder()
    with only_one(folder):
        web = chosen_port("PORTAL_WEB_PORT", 8000)
        gateway = chosen_port("PORTAL_GATEWAY_PORT", 8001)
        if web == gateway:
            raise Refusal("PORTAL_WEB_PORT and PORTAL_GATEWAY_PORT must be two different ports.")
        database = None if os.environ.get("DATABASE_URL") else embedded_postgres(folder)
        environment = product_environment(folder, database, web=web, gateway=gateway)
        with Supervisor(str(folder), environment, folder / "logs", say) as supervisor:
            try:
                if database:
                    start_database(supervisor, database)
                code = _bring_up(supervisor, bare=bare, web=web, gateway=gateway)
                say(f"Up after {time.monotonic() - started_at:.0f} seconds.")
                if once:
                    return code
                _print_addresses(folder, web=web, gateway=gateway)
                supervisor.stay()
            except StopAsked:
                say("Stopping.")
                return INTERRUPTED if once else 0
    return 0


def product_environment(
    folder: Path, database: EmbeddedPostgres | None, *, web: int, gateway: int
) -> dict[str, str]:
    """The variables every process of the product gets; what the person set is kept."""
    given = dict(os.environ)
    if database:
        given["DATABASE_URL"] = database.url
    given.setdefault("SECRET_KEY", kept_secret(folder, "secret-key"))
    given.setdefault("PUBLIC_URL", f"http://{LOOPBACK}:{web}")
    given.setdefault("GATEWAY_URL", f"http://{LOOPBACK}:{gateway}")
    given.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.dev")
    # The web process warns at every start where the folder of collected files is missing.
    (folder / "static").mkdir(exist_ok=True)
    given["PORTAL_STATE_DIR"] = str(folder)
    given["PYTHONUNBUFFERED"] = "1"
    # With an arena a thread, each process keeps memory that it will never use again.
    given.setdefault("MALLOC_ARENA_MAX", "2")
    return given


def start_database(supervisor: Supervisor, database: EmbeddedPostgres) -> None:
    database.prepare()
    supervisor.start(
        Plan(
            name=DATABASE,
            argv=database.argv,
            is_ready=database.is_ready,
            stop_signal=STOP_SIGNAL,
            patience_seconds=30,
            prefix=database.account.prefix,
            user=database.account.user,
            group=database.account.group,
            folder=Path("/"),
        )
    )
    supervisor.wait_ready(DATABASE, seconds=120)
    database.make_database()


def _bring_up(supervisor: Supervisor, *, bare: bool, web: int, gateway: int) -> int:
    """Everything after the database. Returns the main job's exit code."""
    must(supervisor, "compilecatalogues")
    say("Applying migrations.")
    must(supervisor, "migrate", "--database", "owner", "--verbosity", "0")
    plans = process_plans(supervisor.environment, web=web, gateway=gateway)
    for plan in plans:
        supervisor.start(plan)
    if not bare and has_command("bootstrap_centre"):
        must(supervisor, "bootstrap_centre")
    supervisor.wait_ready(*(plan.name for plan in plans), seconds=240)
    if bare or not has_command("main_job"):
        return 0
    code = supervisor.once(manage("main_job"))
    if code:
        say(f"The main job did not finish (exit code {code}).")
    return code


def process_plans(environment: Mapping[str, str], *, web: int, gateway: int) -> list[Plan]:
    """Web, gateway, worker and beat; the gateway only where its code is present."""
    python = sys.executable
    # Django's checks ran with the migrations; in a worker they would load the whole web side.
    celery = [python, "-m", "celery", "--skip-checks", "-A", "portal.celery"]
    clock = [python, "-m", "celery", "-A", "portal.clock"]
    beat_file = Path(environment["PORTAL_STATE_DIR"]) / "beat-schedule"
    plans = [
        Plan(
            name="web",
            argv=[
                *(python, "-m", "granian", "--interface", "wsgi", "--host", LOOPBACK),
                *("--port", str(web), "--workers", "1", "--blocking-threads", "4"),
                *("--no-ws", "--respawn-failed-workers", "portal.wsgi:application"),
            ],
            is_ready=partial(answers, web),
        ),
        Plan(
            name="worker",
            argv=[
                *(*celery, "worker", "-Q", QUEUES, "--concurrency", "2", "--pool", "prefork"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
                *("--loglevel", "INFO"),
            ],
            ready_line=b" ready.",
        ),
        Plan(
            name="beat",
            argv=[
                *(*clock, "beat", "--schedule", str(beat_file), "--loglevel", "WARNING"),
                *("--pidfile", ""),
            ],
        ),
    ]
    if importlib.util.find_spec("portal.gateway.app"):
        plans.insert(
            1,
            Plan(
                name="gateway",
                argv=[
                    *(python, "-m", "uvicorn", "portal.gateway.app:application"),
                    *("--host", LOOPBACK, "--port", str(gateway), "--no-access-log"),
                    # Streams get this long to end, and what they used is metered either way.
                    *("--timeout-graceful-shutdown", str(GATEWAY_GRACE_SECONDS)),
                ],
                is_ready=partial(answers, gateway),
            ),
        )
    return [Plan(**{**vars(plan), "folder": ROOT}) for plan in plans]


def answers(port: int) -> bool:
    """Whether a web server answers on the port, with whatever status."""
    caller = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        caller.request("GET", "/healthz")
        caller.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        caller.close()
    return True


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def must(supervisor: Supervisor, *arguments: str) -> None:
    """Run one management command. Raises Refusal when it fails."""
    code = supervisor.once(manage(*arguments))
    if code:
        raise Refusal(f"The step {arguments[0]!r} failed (exit code {code}); its reason is above.")


def has_command(name: str) -> bool:
    places = (f"{app}.management.commands" for app in APPS)
    return any(
        importlib.util.find_spec(place.rpartition(".")[0]) is not None
        and importlib.util.find_spec(place) is not None
        and importlib.util.find_spec(f"{place}.{name}") is not None
        for place in places
    )


def say(text: str) -> None:
    print(text, flush=True)


def _print_addresses(folder: Path, *, web: int, gateway: int) -> None:
    say("")
    say(f"  Consoles and API   http://{LOOPBACK}:{web}/")
    say(f"  Model gateway      http://{LOOPBACK}:{gateway}/v1/")
    say(f"  Logs and rows      {folder}")
    say("  Stop               Ctrl-C")
    say("")
