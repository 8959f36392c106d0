"""What an operator enters to connect a Slurm cluster, read strictly."""

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from compute.engines import EngineRefused, ServiceClass

# Slurm lowers account names by itself, and takes commas and blanks for separators.
KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def checked_key(key: str) -> str:
    """The key itself, when Slurm can carry it as a name unchanged. Raises: EngineRefused."""
    if not KEY.fullmatch(key):
        raise EngineRefused(f"Slurm cannot carry the name {key!r}.")
    return key


def classes_with_qos(settings: Mapping[str, str]) -> frozenset[ServiceClass]:
    """Which service classes the settings name a class of service (QOS) for; on demand needs none.

    Shape: a name that Slurm cannot carry counts as none, so that nobody is offered it.
    """
    named = {one for one in ServiceClass if KEY.fullmatch(settings.get(f"qos_{one}", ""))}
    return frozenset(named | {ServiceClass.ON_DEMAND})


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
    ``qos_shared`` and ``qos_urgent`` name the classes of service that the site has made for the two
    service classes; a class without one is not offered.
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
    qos_shared: str = ""
    qos_urgent: str = ""
    usage_overlap_seconds: int = 60
    usage_hold_seconds: int = 300

    def qos_of(self, service_class: ServiceClass) -> str:
        """The class of service to name at submission; "" leaves the choice to the site's default.

        Raises: EngineRefused, for a class that the settings no longer name one for.
        """
        if service_class is ServiceClass.ON_DEMAND:
            return ""
        named = {ServiceClass.SHARED: self.qos_shared, ServiceClass.URGENT: self.qos_urgent}
        if not named[service_class]:
            raise EngineRefused(f"The connection names no QOS for {service_class} work.")
        return named[service_class]

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
        for name in ("qos_shared", "qos_urgent"):
            if values.get(name):
                checked_key(str(values[name]))
        return cls(**values)  # type: ignore[arg-type]  # each value has its own field's type
