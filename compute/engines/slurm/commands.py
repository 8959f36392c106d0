"""Running Slurm's own programs: one clock for a whole call, and two kinds of failure."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from compute.engines import EngineRefused, EngineUnavailable
from compute.engines.slurm.settings import Connection

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"

# Said when nobody answered, or when the one who answered asks to come back. Everything else that a
# program fails with is an answer. Source: slurm/slurm_errno.c of 22.05, and outages of a 22.05.8.
TRY_LATER = (
    "unable to contact slurm controller",
    "unable to connect to",
    "socket timed out",
    "connection refused",
    "connection timed out",
    "connection reset",
    "communication connection failure",
    "communication shutdown failure",
    "transport endpoint is not connected",
    "zero bytes were transmitted",
    "message receive failure",
    "message send failure",
    "receive failure",
    "send failure",
    "temporarily unable to accept job",
    "resource temporarily unavailable",
    "in standby mode",
    "protocol authentication error",
    "munge encode failed",
    "munge decode failed",
    "problem talking to the database",
    "database connection",
    "slurm_persist_conn_open",
    "slurmdbd: getting response",
    "could not establish a configuration source",
    "unable to process configuration request",
    "job update not available right now",
    "backup controller",
)


@dataclass(frozen=True)
class Answer:
    """What a program that got an answer printed; ``refused`` when the answer was no."""

    output: str
    complaint: str
    refused: bool

    def says(self, phrase: str) -> bool:
        return phrase.lower() in self.complaint.lower()


class Commands:
    """Slurm's programs for one call of the port, all within its one timeout.

    Source: ``SLURM_TIME_FORMAT`` and ``TZ`` make every instant an epoch second; nothing of the
    portal's own environment, its secrets included, reaches Slurm or a job.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._limit = time.monotonic() + connection.timeout_seconds
        search = f"{connection.bin_dir}:{SYSTEM_PATH}" if connection.bin_dir else SYSTEM_PATH
        self._environment = {
            "PATH": search,
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            "SLURM_TIME_FORMAT": "%s",
        }
        if connection.slurm_conf:
            self._environment["SLURM_CONF"] = connection.slurm_conf

    def ask(self, program: str, *arguments: str, stdin: str = "") -> str:
        """What the program prints. Raises: EngineUnavailable; EngineRefused for a definite no."""
        answer = self.attempt(program, *arguments, stdin=stdin)
        if answer.refused:
            raise EngineRefused(answer.complaint)
        return answer.output

    def attempt(self, program: str, *arguments: str, stdin: str = "") -> Answer:
        """As ``ask``, but a definite no is an answer. Raises: EngineUnavailable."""
        left = self._limit - time.monotonic()
        if left <= 0:
            raise EngineUnavailable("Slurm did not answer in time.")
        path = str(Path(self._connection.bin_dir, program)) if self._connection.bin_dir else program
        try:
            # The arguments are a list, so no shell reads them.
            done = subprocess.run(  # noqa: S603
                [path, *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=self._environment,
                cwd="/",
                timeout=left,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineUnavailable(f"{program} did not answer in time.") from error
        except OSError as error:
            raise EngineUnavailable(f"{program} cannot be run: {error.strerror}.") from error
        return _answer(program, done)


def _answer(program: str, done: "subprocess.CompletedProcess[str]") -> Answer:
    refused = done.returncode != 0
    # sacctmgr says some of its refusals on its output.
    complaint = " ".join((done.stderr or (done.stdout if refused else "")).split())
    if refused and (
        done.returncode < 0 or any(phrase in complaint.lower() for phrase in TRY_LATER)
    ):
        raise EngineUnavailable(f"{program}: {complaint or 'ended by a signal'}")
    return Answer(
        output=done.stdout,
        complaint=complaint or f"{program} failed with status {done.returncode}.",
        refused=refused,
    )
