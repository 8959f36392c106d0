"""Starts a program behind a gate: it exists and can be recorded before it runs."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from compute.engines.local.processes import identity

NOT_STARTED: Final = 127


class Launched:
    """A child in its own session and process group, still waiting to be let go."""

    def __init__(self, process_id: int, gate: int) -> None:
        self.process_id = process_id
        self.identity = identity(process_id)
        self._gate = gate

    def go(self) -> None:
        """Let the program run. A parent that dies before this leaves no program behind."""
        os.write(self._gate, b"g")
        os.close(self._gate)

    def poll(self) -> int | None:
        """The exit code (minus the signal that ended it), None while it runs."""
        ended, status = os.waitpid(self.process_id, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if ended else None


def launch(argv: Sequence[str], env: Mapping[str, str], home: Path) -> Launched:
    """Fork a child that waits at its gate; its output goes to ``output.log`` in ``home``."""
    output = os.open(
        home / "output.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600
    )
    gate_read, gate_write = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        _become(argv, env, home, gate_read, gate_write, output)
    os.close(gate_read)
    os.close(output)
    return Launched(process_id, gate_write)


def _become(
    argv: Sequence[str],
    env: Mapping[str, str],
    home: Path,
    gate_read: int,
    gate_write: int,
    output: int,
) -> NoReturn:
    """The child's side: nothing here may return into the supervisor's code."""
    try:
        os.setsid()
        os.close(gate_write)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        if os.read(gate_read, 1) == b"g":
            os.chdir(home)
            os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606 - an argv list, no shell
    except (OSError, ValueError) as error:
        os.write(2, f"{argv[0]}: {error}\n".encode())
    finally:
        os._exit(NOT_STARTED)
