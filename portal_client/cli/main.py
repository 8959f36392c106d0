"""portalctl: one command, one answer, one exit code.

Shape: 0 done; 1 the portal refused, or did not count all events; 2 the command was not right;
3 the portal could not be reached. Answers go to the output, refusals to the error output.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from getpass import getpass
from itertools import groupby
from typing import TextIO

from portal_client.cli import bill, hooks, money, work
from portal_client.cli.command import Command, Given, OwnCommand, needed, optional
from portal_client.cli.output import Said, Shown, as_json, as_text
from portal_client.cli.parser import parser
from portal_client.cli.problems import OK, REFUSED, UNREACHABLE, USAGE, Denied, UsageError
from portal_client.cli.sign_in import SignIn, forget, keep, known, place
from portal_client.cli.words import language_of, say, speak
from portal_client.client import Client
from portal_client.errors import Forbidden, PortalError, Refused, UnexpectedAnswer, Unreachable

INTERRUPTED = 130
COMMANDS = (*work.COMMANDS, *bill.COMMANDS, *money.COMMANDS, *hooks.COMMANDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command line; gives the exit code."""
    language = language_of(os.environ)
    speak(language)
    given_words = sys.argv[1:] if arguments is None else arguments
    wants_json = "--json" in given_words
    try:
        given = parser(_areas(), OWN).parse_args(given_words)
        shown = _run(given, language)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return OK
    except SystemExit as ended:
        # argparse ends so after --help and --version.
        return ended.code if isinstance(ended.code, int) else USAGE
    except (UsageError, Denied, PortalError) as refusal:
        return _refuse(refusal, sys.stderr, wants_json=wants_json)
    return _show(shown, wants_json=wants_json)


def _areas() -> dict[str, list[Command]]:
    ordered = sorted(COMMANDS, key=lambda command: command.area)
    return {area: list(some) for area, some in groupby(ordered, lambda command: command.area)}


def _run(given: Given, language: str) -> Shown:
    command: Command | OwnCommand = given.command
    if isinstance(command, OwnCommand):
        return command.run(given, language)
    with _client(known(os.environ), language) as client:
        return command.run(client, given)


def _client(sign_in: SignIn, language: str) -> Client:
    try:
        return Client(sign_in.address, sign_in.key, language=language)
    except ValueError as error:
        raise UsageError(say("The address or the key is not one of a portal.")) from error


def _show(shown: Shown, *, wants_json: bool) -> int:
    try:
        sys.stdout.write((as_json(shown) if wants_json else as_text(shown)) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads us has enough; Python must not complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK if isinstance(shown, Said) else shown.code


def _refuse(refusal: UsageError | Denied | PortalError, stream: TextIO, *, wants_json: bool) -> int:
    """One sentence and its stable code; what is wrong with the input below it."""
    facts = _facts(refusal)
    if wants_json:
        stream.write(json.dumps(facts, ensure_ascii=False) + "\n")
    else:
        marks = [str(facts["code"])]
        if facts.get("request_id"):
            marks.append(say("request {id}", id=facts["request_id"]))
        stream.write(f"portalctl: {facts['detail']} [{', '.join(marks)}]\n")
        if isinstance(refusal, Refused):
            for one in refusal.errors:
                stream.write(f"  {one.pointer}: {one.detail} [{one.code}]\n")
    if isinstance(refusal, Refused | Denied):
        return REFUSED
    return UNREACHABLE if isinstance(refusal, PortalError) else USAGE


def _facts(refusal: Exception) -> Mapping[str, object]:
    if isinstance(refusal, Refused):
        return {
            "code": refusal.code,
            "detail": refusal.detail,
            "status": refusal.status,
            "request_id": refusal.request_id,
            "errors": [
                {"pointer": one.pointer, "code": one.code, "detail": one.detail}
                for one in refusal.errors
            ],
        }
    if isinstance(refusal, Denied):
        return {"code": refusal.code, "detail": str(refusal)}
    if isinstance(refusal, Unreachable):
        return {
            "code": "unreachable",
            "detail": say("{address} does not answer.", address=refusal.address),
        }
    if isinstance(refusal, UnexpectedAnswer):
        return {
            "code": "unexpected_answer",
            "detail": say("What answered is not the portal, or is of another version."),
        }
    return {"code": "usage", "detail": str(refusal)}


def sign_in(given: Given, language: str) -> Shown:
    """Keep a key once the portal knew it; it is asked for, never an argument others could see."""
    key = (sys.stdin.readline() if given.key_from_input else getpass(say("Key: "))).strip()
    if not key:
        raise UsageError(say("There is no key."))
    kept = SignIn(given.url, key)
    with _client(kept, language) as client:
        try:
            name = client.organisation.get().name
        except Forbidden:
            # A key that may not ask whose it is is in force all the same.
            name = ""
    keep(place(os.environ), kept)
    told = say("Signed in to {url}.", url=given.url)
    return Said(f"{told} {name}".strip(), {"url": given.url, "organisation": name or None})


def sign_out(_given: Given, _language: str) -> Shown:
    forget(place(os.environ))
    return Said(say("The key is forgotten here; end it in the console too."), {"signed_in": False})


OWN = (
    OwnCommand(
        "sign-in",
        "Keep a portal's address and a key in a file that only you can read.",
        sign_in,
        (
            needed("--url", "The portal's address."),
            optional("--key-from-input", "Read the key from the input.", action="store_true"),
        ),
    ),
    OwnCommand("sign-out", "Forget the kept key.", sign_out),
)
