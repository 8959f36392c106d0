"""A Slurm laboratory on one machine: real daemons, emulated nodes, no systemd, loopback only.

Starts munged, a private MariaDB, slurmdbd, slurmctld and one slurmd a node, as root or as any
ordinary user, on ports found free. A reaper ends everything when the laboratory goes down, and also
when the process that made it is killed. Cards are links to /dev/null, so Slurm hands out real
card numbers. Needs Debian's packages munge, slurmctld, slurmd, slurm-client, slurmdbd,
slurm-wlm-basic-plugins, slurm-wlm-mysql-plugin and mariadb-server-core.

By hand: ``python -m tests.slurmlab /some/folder`` keeps one up until Enter is pressed; a second
argument makes it a small one of a single node.
"""

import getpass
import os
import pwd
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from tests import slurmlab_conf as conf
from tests.slurmlab_reaper import strays

PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd")
ADMIN_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
CLASSES = (
    "add qos shared Priority=0 PreemptMode=cancel",
    "add qos urgent Priority=1000 Preempt=shared",
    "modify account root set qos+=shared,urgent",
)
REAPER = Path(__file__).parent / "slurmlab_reaper.py"


class LabFailed(Exception):
    """The laboratory did not come up; the message says where its logs are."""


def missing_programs() -> list[str]:
    """What the laboratory needs and this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=ADMIN_PATH) is None]


@dataclass(frozen=True)
class Daemon:
    name: str
    process: subprocess.Popen[bytes]
    argv: tuple[str, ...]
    user: str | None


class SlurmLab:
    """One cluster named ``aicc`` under ``base``; a context manager that is up inside its block."""

    def __init__(self, base: Path, kinds: Sequence[conf.Kind] = conf.SIXTEEN_NODES) -> None:
        self.base = base.resolve()
        self.kinds = kinds
        self.as_root = os.geteuid() == 0
        self.slurm_user = "slurm" if self.as_root else getpass.getuser()
        self.conf_path = self.base / "etc/slurm.conf"
        self.spool = self.base / "out"
        self.daemons: dict[str, Daemon] = {}
        self.reaper: subprocess.Popen[bytes] | None = None
        nodes = sum(kind.nodes for kind in kinds)
        self.port = _free_block(nodes + 3)  # database, slurmdbd, slurmctld, then the nodes
        self.env = {
            "PATH": ADMIN_PATH,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "SLURM_CONF": str(self.conf_path),
            "SLURM_TIME_FORMAT": "%s",
        }

    def __enter__(self) -> "SlurmLab":
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def connection(self, **more: str) -> Mapping[str, str]:
        """Connection settings of the cluster, as an operator would enter them."""
        return {
            "slurm_conf": str(self.conf_path),
            "spool_dir": str(self.spool),
            "timeout_seconds": "10",
            "usage_overlap_seconds": "20",
            "usage_hold_seconds": "25",
            "qos_shared": "shared",
            "qos_urgent": "urgent",
            **more,
        }

    def run(self, *argv: str, check: bool = True) -> str:
        """What one of Slurm's programs prints."""
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise LabFailed(f"{argv}: {done.returncode} {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    # Life.

    def up(self) -> None:
        self.reaper = subprocess.Popen(
            [sys.executable, str(REAPER), str(self.conf_path)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._write()
        self._start_munge()
        self._start_database()
        self.start_slurmdbd()
        self._register()
        self._make_classes()
        self.start_slurmctld()
        names = [name for kind in self.kinds for name in kind.names()]
        for name in names:
            (self.base / "spool" / name).mkdir(parents=True, exist_ok=True)
            self._spawn(f"slurmd.{name}", ["slurmd", "-D", "-N", name])
        self._wait("every node idle", lambda: self._idle_nodes() == len(names))

    def down(self) -> None:
        """End jobs, then daemons in the order that loses nothing, then anything left over."""
        if self._alive("slurmctld"):
            self.run("scancel", "--full", f"--user={getpass.getuser()}", check=False)
        nodes = [name for name in self.daemons if name.startswith("slurmd.")]
        for names in (nodes, ["slurmctld"], ["slurmdbd"], ["mariadbd"], ["munged"]):
            for name in names:
                self._end(name)
        if self.reaper:
            self.reaper.communicate(timeout=60)

    def strays(self) -> list[int]:
        """Processes that belong to this laboratory."""
        return strays(str(self.conf_path))

    # Faults.

    def kill(self, name: str) -> None:
        """End a daemon as a power loss would."""
        daemon = self.daemons.pop(name)
        daemon.process.kill()
        daemon.process.wait()

    def start_slurmdbd(self) -> None:
        self._spawn("slurmdbd", ["slurmdbd", "-D"], user=self.slurm_user)
        self._wait("slurmdbd", lambda: self._answers("sacctmgr", "-n", "show", "cluster"))

    def start_slurmctld(self) -> None:
        self._spawn("slurmctld", ["slurmctld", "-D"], user=self.slurm_user)
        self._wait("slurmctld", lambda: " UP" in self.run("scontrol", "ping", check=False))

    # Parts.

    def _start_munge(self) -> None:
        run = self.base / "run"
        self._spawn(
            "munged",
            [
                "munged",
                "--foreground",
                "--force",
                f"--key-file={self.base}/etc/munge.key",
                f"--socket={run}/munge.sock",
                f"--pid-file={run}/munged.pid",
                f"--log-file={self.base}/log/munged.log",
                f"--seed-file={run}/munged.seed",
            ],
        )
        self._wait("munged", lambda: self._answers("munge", "-n", f"--socket={run}/munge.sock"))

    def _start_database(self) -> None:
        as_user = ["--user=root"] if self.as_root else []
        self.run(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={self.base}/mysql",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *as_user,
        )
        options = conf.database_options(self.base, self.port)
        self._spawn("mariadbd", ["mariadbd", "--no-defaults", *as_user, *options])
        self._wait("mariadbd", lambda: _is_open(self.port))

    def _register(self) -> None:
        if "aicc" not in self.run("sacctmgr", "-nP", "show", "cluster"):
            self.run("sacctmgr", "-i", "add", "cluster", "aicc")

    def _make_classes(self) -> None:
        """The classes of service of the two service classes, by the lines of docs/slurm.md."""
        for line in CLASSES:
            self.run("sacctmgr", "-i", *line.split())

    def _write(self) -> None:
        for folder in ("etc", "run", "log", "state", "spool", "mysql", "dev", "out"):
            (self.base / folder).mkdir(parents=True, exist_ok=True)
        self.base.chmod(0o755)
        password = secrets.token_hex(16)
        host = socket.gethostname().split(".")[0]
        files = conf.files(
            base=self.base,
            kinds=self.kinds,
            port=self.port,
            host=host,
            slurm_user=self.slurm_user,
            slurmd_user="root" if self.as_root else self.slurm_user,
            password=password,
        )
        for name, text in files.items():
            path = self.base / "etc" / name
            path.write_text(text)
            path.chmod(0o600 if name in ("slurmdbd.conf", "init.sql") else 0o644)
        key = self.base / "etc/munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        for kind in self.kinds:
            for nth in range(kind.cards):
                (self.base / "dev" / f"{kind.gres}{nth}").symlink_to("/dev/null")
        if self.as_root:
            owner = pwd.getpwnam("slurm")
            for name in ("state", "log", "run", "etc/slurmdbd.conf"):
                os.chown(self.base / name, owner.pw_uid, owner.pw_gid)

    def _spawn(self, name: str, argv: Sequence[str], user: str | None = None) -> None:
        switch: dict[str, object] = {}
        if user and self.as_root:
            owner = pwd.getpwnam(user)
            switch = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        with (self.base / "log" / f"{name}.out").open("ab") as log:
            process = subprocess.Popen(
                [shutil.which(argv[0], path=ADMIN_PATH) or argv[0], *argv[1:]],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.base,
                **switch,  # type: ignore[call-overload]  # the three account arguments
            )
        self.daemons[name] = Daemon(name, process, tuple(argv), user)

    def _end(self, name: str) -> None:
        daemon = self.daemons.pop(name, None)
        if daemon is None:
            return
        daemon.process.terminate()
        try:
            daemon.process.wait(timeout=8)
        except subprocess.TimeoutExpired:
            daemon.process.kill()
            daemon.process.wait()

    def _alive(self, name: str) -> bool:
        return name in self.daemons and self.daemons[name].process.poll() is None

    def _answers(self, *argv: str) -> bool:
        done = subprocess.run(argv, env=self.env, capture_output=True, check=False)
        return done.returncode == 0

    def _idle_nodes(self) -> int:
        return int(self.run("sinfo", "-h", "-p", "all", "-t", "idle", "-o", "%D", check=False) or 0)

    def _wait(self, what: str, condition: Callable[[], bool], timeout: float = 60) -> None:
        limit = time.monotonic() + timeout
        while not condition():
            dead = [name for name in self.daemons if not self._alive(name)]
            if dead or time.monotonic() > limit:
                raise LabFailed(f"waited for {what}; ended: {dead}; logs in {self.base}/log")
            time.sleep(0.05)


@contextmanager
def own_lab() -> Iterator[SlurmLab]:
    """A laboratory of sixteen nodes that leaves no process behind.

    A missing Slurm is a failure: whoever asked for the mark asked for the real thing.
    """
    assert missing_programs() == []
    # Not pytest's own folder, which it keeps from the daemons' user and clears between runs.
    with TemporaryDirectory(prefix="slurmlab-") as folder, SlurmLab(Path(folder)) as lab:
        yield lab
    assert lab.strays() == []


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.3)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_block(count: int) -> int:
    """The first of ``count`` neighbouring ports that nobody uses, below the ephemeral range."""
    for _ in range(50):
        first = random.randrange(20000, 32000 - count)
        if not any(_taken(port) for port in range(first, first + count)):
            return first
    raise LabFailed("no free block of ports")


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def main() -> None:
    started = time.monotonic()
    kinds = conf.SIXTEEN_NODES if len(sys.argv) < 3 else conf.ONE_NODE
    with SlurmLab(Path(sys.argv[1]), kinds) as lab:
        print(f"up after {time.monotonic() - started:.1f} s")
        print(f"export SLURM_CONF={lab.conf_path}", flush=True)
        input("Enter ends it. ")


if __name__ == "__main__":
    main()
