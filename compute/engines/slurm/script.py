"""The batch script of a workload: find a port, publish where it answers, become the program."""

import json
import re
from shlex import quote

from compute.engines import EngineRefused, WorkloadKind, WorkloadSpec
from compute.engines.slurm.settings import Connection, checked_key

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# The comment is ours to write and every host of the cluster can read it, so the endpoint needs no
# shared folder. It names the restart it belongs to: after a requeue the old one stays until the
# new start replaces it.
_PUBLISH = """\
comment=%(told)s',"node":"'"$SLURMD_NODENAME"'","cards":"'"$SLURM_JOB_GPUS"'"'
comment+=',"restart":'"${SLURM_RESTART_COUNT:-0}%(endpoint)s}"
for attempt in 1 2 3; do
  scontrol update JobId="$SLURM_JOB_ID" Comment="$comment" && break
done
"""

_ADDRESS = """\
address=$(scontrol -o show node "$SLURMD_NODENAME" | sed -n 's/.* NodeAddr=\\([^ ]*\\).*/\\1/p')
"""

_FREE_PORT = """\
while [ -z "$PORT" ]; do
  PORT=$((%(first)d + RANDOM %% %(span)d))
  if (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then PORT=; fi
done
export PORT
"""


def batch_script(connection: Connection, spec: WorkloadSpec) -> str:
    """The script as bash reads it; every value of the specification is quoted, none is expanded.

    The work's own environment comes last, so that it cannot change what the script itself runs.
    ``exec`` makes the program the job's own process, so that it gets the TERM before the end.
    """
    if not spec.argv:
        raise EngineRefused("There is no program to run.")
    lines, endpoint = ["#!/bin/bash"], ""
    if spec.kind is WorkloadKind.SERVICE:
        span = connection.last_port - connection.first_port + 1
        lines.append(f"PORT={_quoted(spec.env.get('PORT', ''))}")
        lines.append(_FREE_PORT % {"first": connection.first_port, "span": span})
        lines.append(_ADDRESS)
        endpoint = r",\"endpoint\":\"http://$address:$PORT\""
    told = quote(comment(spec).removesuffix("}"))
    lines.append(_PUBLISH % {"told": told, "endpoint": endpoint})
    for name, value in sorted(spec.env.items()):
        if not _VARIABLE.fullmatch(name):
            raise EngineRefused(f"{name!r} is not the name of an environment variable.")
        lines.append(f"export {name}={_quoted(value)}")
    lines.append("exec -- " + " ".join(_quoted(word) for word in spec.argv))
    return "\n".join(lines) + "\n"


def comment(spec: WorkloadSpec) -> str:
    """What the job's comment says before it starts."""
    names = {"reservation": checked_key(spec.reservation_key)} if spec.reservation_key else {}
    return json.dumps({"generation": spec.generation, **names}, separators=(",", ":"))


def _quoted(text: str) -> str:
    if "\0" in text:
        raise EngineRefused("A program's words cannot hold a zero byte.")
    return quote(text)
