"""The configuration files of the Slurm laboratory, as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SITE_LUA = Path(__file__).parent.parent / "compute/engines/slurm/site/job_submit.lua"


@dataclass(frozen=True)
class Kind:
    """Nodes of one chip model."""

    gres: str
    nodes: int
    cards: int
    sockets: int
    cores: int
    memory_mib: int

    def names(self) -> list[str]:
        return [f"{self.gres}-{nth:03d}" for nth in range(1, self.nodes + 1)]


SIXTEEN_NODES = (
    Kind("ascend910b", nodes=6, cards=8, sockets=4, cores=48, memory_mib=1_536_000),
    Kind("h20", nodes=4, cards=8, sockets=2, cores=96, memory_mib=2_048_000),
    Kind("mlu370", nodes=3, cards=8, sockets=2, cores=32, memory_mib=512_000),
    Kind("dcu", nodes=3, cards=4, sockets=2, cores=32, memory_mib=512_000),
)

ONE_NODE = (Kind("dcu", nodes=1, cards=4, sockets=2, cores=32, memory_mib=512_000),)


def files(
    *,
    base: Path,
    kinds: Sequence[Kind],
    port: int,
    host: str,
    slurm_user: str,
    slurmd_user: str,
    password: str,
) -> dict[str, str]:
    """Name to text of everything under ``etc``."""
    return {
        "slurm.conf": _slurm_conf(base, kinds, port, host, slurm_user, slurmd_user),
        "gres.conf": _gres_conf(base, kinds),
        "slurmdbd.conf": _slurmdbd_conf(base, port, slurm_user, password),
        "job_submit.lua": SITE_LUA.read_text(),
        "init.sql": (
            "CREATE DATABASE IF NOT EXISTS slurm_acct;\n"
            f"CREATE USER IF NOT EXISTS 'slurm'@'%' IDENTIFIED BY '{password}';\n"
            "GRANT ALL ON slurm_acct.* TO 'slurm'@'%';\nFLUSH PRIVILEGES;\n"
        ),
    }


def database_options(base: Path, port: int) -> list[str]:
    return [
        f"--datadir={base}/mysql",
        f"--tmpdir={base}/run",
        f"--socket={base}/run/mysql.sock",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--pid-file={base}/run/mariadbd.pid",
        f"--log-error={base}/log/mariadb.err",
        "--innodb-buffer-pool-size=64M",
        "--innodb-lock-wait-timeout=900",
        "--innodb-log-file-size=32M",
        "--innodb-flush-log-at-trx-commit=2",
        "--performance-schema=OFF",
        "--skip-name-resolve",
        "--max-allowed-packet=64M",
        f"--init-file={base}/etc/init.sql",
    ]


def _gres_conf(base: Path, kinds: Sequence[Kind]) -> str:
    # A card without File= is discarded and its node becomes INVAL, so each is a link to a device.
    rows = [
        f"NodeName={name} Name=gpu Type={kind.gres} Count={kind.cards} "
        f"File={base}/dev/{kind.gres}[0-{kind.cards - 1}]"
        for kind in kinds
        for name in kind.names()
    ]
    return "\n".join(["AutoDetect=off", *rows]) + "\n"


def _slurm_conf(
    base: Path, kinds: Sequence[Kind], port: int, host: str, slurm_user: str, slurmd_user: str
) -> str:
    nodes, number = [], port + 3
    for kind in kinds:
        for name in kind.names():
            nodes.append(
                f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={number} "
                f"Sockets={kind.sockets} CoresPerSocket={kind.cores} ThreadsPerCore=1 "
                f"RealMemory={kind.memory_mib} Gres=gpu:{kind.gres}:{kind.cards} State=UNKNOWN"
            )
            number += 1
    tres = ",".join(["gres/gpu", *(f"gres/gpu:{kind.gres}" for kind in kinds)])
    return f"""ClusterName=aicc
SlurmctldHost={host}(127.0.0.1)
SlurmUser={slurm_user}
SlurmdUser={slurmd_user}
SlurmctldPort={port + 2}
AuthType=auth/munge
AuthInfo=socket={base}/run/munge.sock,cred_expire=5
StateSaveLocation={base}/state
SlurmctldPidFile={base}/run/slurmctld.pid
SlurmctldLogFile={base}/log/slurmctld.log
SlurmdSpoolDir={base}/spool/%n
SlurmdPidFile={base}/run/slurmd.%n.pid
SlurmdLogFile={base}/log/slurmd.%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=10
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=60
InactiveLimit=0
KillWait=5
MinJobAge=10
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1024
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_min_interval=200000,bf_interval=2
PriorityType=priority/multifactor
PriorityWeightQOS=10000
PreemptType=preempt/qos
PreemptMode=CANCEL
JobRequeue=1
JobSubmitPlugins=lua
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port + 1}
AccountingStoragePass={base}/run/munge.sock
AccountingStorageEnforce=associations,limits,qos,safe
AccountingStorageTRES={tres}
AccountingStoreFlags=job_comment
{chr(10).join(nodes)}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _slurmdbd_conf(base: Path, port: int, slurm_user: str, password: str) -> str:
    return f"""AuthType=auth/munge
AuthInfo=socket={base}/run/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port + 1}
SlurmUser={slurm_user}
LogFile={base}/log/slurmdbd.log
PidFile={base}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={port}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_acct
"""
