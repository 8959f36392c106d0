"""Projects as Slurm accounts: the ceiling on cards, and the right of the portal to submit.

Each call of ``sacctmgr`` that writes takes about half a second and a commit of slurmdbd, so
everything is looked up first and written only when it differs.
"""

import re

from compute.engines import EngineRefused, ProjectSpec
from compute.engines.slurm.commands import Commands
from compute.engines.slurm.parsing import cards
from compute.engines.slurm.settings import Connection, checked_key


def ensure_project(commands: Commands, connection: Connection, project: ProjectSpec) -> None:
    """An account named by the key, with ``max_cards`` as its GrpTRES, open to the service user."""
    account = checked_key(project.key)
    wanted = {checked_key(gres): count for gres, count in project.max_cards.items()}
    found = _associations(commands, connection, account)
    if "" not in found:
        # Quotes, commas and equals signs would end the description.
        name = re.sub(r"[^\w .-]", " ", project.name).strip() or account
        _write(commands, "add", "account", account, f"Description={name}")
    if connection.service_user not in found:
        _write(commands, "add", "user", connection.service_user, f"account={account}")
    limits = found.get("", {})
    if limits != wanted:
        lifted = {gres: -1 for gres in limits if gres not in wanted}
        terms = ",".join(
            f"gres/gpu:{gres}={count}" for gres, count in sorted({**wanted, **lifted}.items())
        )
        _write(commands, "modify", "account", "where", f"name={account}", "set", f"GrpTRES={terms}")


def _associations(
    commands: Commands, connection: Connection, account: str
) -> dict[str, dict[str, int]]:
    """User name to limits; the account's own row has no user."""
    output = commands.ask(
        "sacctmgr",
        "-nP",
        "show",
        "assoc",
        "where",
        f"account={account}",
        "format=User,GrpTRES",
    )
    rows = [line.split("|") for line in output.splitlines() if "|" in line]
    return {user: cards(limits) for user, limits, *_ in rows}


def allow_only(commands: Commands, *, name: str, account: str, gres: str, count: int) -> None:
    """A class of service that lets an account use so many cards; found first."""
    if card_limit(commands, name) == {gres: count}:
        return
    terms = f"GrpTRES=gres/gpu:{gres}={count}"
    if not _write(commands, "add", "qos", name, terms):
        _write(commands, "modify", "qos", "where", f"name={name}", "set", terms)
    _write(commands, "modify", "account", "where", f"name={account}", "set", f"qos+={name}")


def card_limit(commands: Commands, name: str) -> dict[str, int]:
    """The card limits of a class of service; empty where there is none of that name."""
    shown = ("-nP", "show", "qos", "where", f"name={name}", "format=Name,GrpTRES")
    output = commands.ask("sacctmgr", *shown)
    return next((cards(line) for line in output.splitlines() if line.startswith(f"{name}|")), {})


def forget_limit(commands: Commands, name: str) -> None:
    """Delete a class of service. Idempotent: Slurm calls a missing one an error."""
    _write(commands, "delete", "qos", "where", f"name={name}")


def _write(commands: Commands, *arguments: str) -> bool:
    """Whether something changed; finding it already as asked is no failure."""
    answer = commands.attempt("sacctmgr", "-i", *arguments)
    if not answer.refused:
        return not any(word in answer.output for word in ("Nothing new", "already exists"))
    if any(answer.says(word) for word in ("nothing", "already exists")):
        return False
    raise EngineRefused(answer.complaint)
