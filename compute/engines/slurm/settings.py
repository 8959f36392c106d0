"""What an operator enters to connect a Slurm cluster, read strictly."""

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from compute.engines import EngineRefused

# Slurm lowers account names by itself, and takes commas and blanks for separators.
KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def checked_key(key: str) -> str:
    """The key itself, when Slurm can carry it as a name unchanged. Raises: EngineRefused."""
    if not KEY.fullmatch(key):
        raise EngineRefused(f"Slurm cannot carry the name {key!r}.")
    return key


def _own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


@dataclass(frozen=True)
class Connection:
    """Settings of one cluster; every one has a default that suits a host with Slurm's clients.

    Shape: ``bin_dir`` and ``slurm_conf`` are empty where the programs and Slurm's own default are
    meant. ``service_user`` is who submits: the account the portal's worker runs under, which needs
    Slurm's operator level. ``spool_dir`` is a folder that nodes and portal share, for the output of
    work that failed; without one, failures have no last lines. ``partition`` is Slurm's default
    where empty. Zero cards' worth of processors or memory leaves both to the site's defaults.
    """

    slurm_conf: str = ""
    bin_dir: str = ""
    timeout_seconds: int = 10
    service_user: str = field(default_factory=_own_name)
    partition: str = ""
    spool_dir: str = ""
    work_dir: str = "/"
    cpus_per_card: int = 0
    memory_mib_per_card: int = 0
    first_port: int = 20000
    last_port: int = 31999
    history_days: int = 14
    usage_overlap_seconds: int = 60
    usage_hold_seconds: int = 300

    @classmethod
    def read(cls, settings: Mapping[str, str]) -> "Connection":
        """Raises: EngineRefused, for a setting nobody knows and for a number that is none."""
        known = cls.__dataclass_fields__
        values: dict[str, str | int] = {}
        for name, text in settings.items():
            if name not in known:
                raise EngineRefused(f"The connection has no setting {name!r}.")
            if known[name].type is int:
                if not text.isascii() or not text.isdigit():
                    raise EngineRefused(f"The connection setting {name} is not a whole number.")
                values[name] = int(text)
            else:
                values[name] = text
        return cls(**values)  # type: ignore[arg-type]  # each value has its own field's type
