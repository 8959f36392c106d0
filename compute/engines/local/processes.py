"""What the engine asks the operating system about processes, on Linux and macOS."""

import errno
import os
import signal
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
# Nothing else of the portal's environment reaches a tenant's work: it holds passwords and keys.
# The instance's name is how a stopped product finds what it started.
INHERITED: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "USER", "LOGNAME"),
    "PORTAL_INSTANCE",
)
# Each vendor's runtime reads its own variable; all of them name the same cards.
VISIBLE_CARDS: Final = (
    "CUDA_VISIBLE_DEVICES",
    "ASCEND_RT_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "MLU_VISIBLE_DEVICES",
    "MUSA_VISIBLE_DEVICES",
    "XPU_VISIBLE_DEVICES",
    "TOPS_VISIBLE_DEVICES",
)


def inherited_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


@lru_cache(maxsize=1)
def _boot() -> str:
    """Names this boot of the machine; a process id from another boot names somebody else."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def identity(process_id: int) -> str:
    """Which process has this id now: its start, so that a reused id is told apart; "" for none."""
    try:
        # The second field is the program's name in parentheses and may itself hold spaces.
        fields = (PROC / str(process_id) / "stat").read_text().rpartition(")")[2].split()
        return f"{_boot()}/{fields[19]}"
    except FileNotFoundError:
        if (PROC / "self/stat").exists():
            return ""
    except OSError:
        return ""
    asked = subprocess.run(  # noqa: S603 - a fixed argv list
        ["/bin/ps", "-o", "lstart=", "-p", str(process_id)],
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
        env={"LC_ALL": "C"},
    )
    return asked.stdout.strip()


def signal_group(group_id: int, number: signal.Signals) -> bool:
    """Signal a whole process group; False when nobody is left in it."""
    try:
        os.killpg(group_id, number)
    except ProcessLookupError:
        return False
    except OSError as error:
        # macOS answers so for a group in which only zombies are left.
        if error.errno != errno.EPERM:
            raise
        return False
    return True


def kill_orphans(group_id: int, leader: str) -> None:
    """Kill what is left of a group whose leader was recorded as ``leader``.

    A leader with another start is a stranger who got the number later, and is left alone. Without
    any leader the number still belongs to the old group: the kernel gives it to nobody else while
    the group has members.
    """
    now = identity(group_id)
    same_boot = leader.partition("/")[0] == _boot() or not _boot()
    if now == leader or (not now and same_boot):
        signal_group(group_id, signal.SIGKILL)
