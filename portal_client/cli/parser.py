"""The command line, read by argparse: it is part of Python, and nothing here needs more."""

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from portal_client.cli.command import Command, OwnCommand
from portal_client.cli.problems import UsageError
from portal_client.cli.words import say
from portal_client.version import VERSION

# argparse's own sentences, whose beginnings Python does not translate.
COMPLAINTS = (
    (r"the following arguments are required: (.+)", "Missing: {what}."),
    (r"one of the arguments (.+) is required", "Missing: {what}."),
    (r"unrecognized arguments: (.+)", "Not understood: {what}."),
    (r"argument (.+): expected .+", "{what} needs a value."),
    (r"argument (.+): invalid .+", "{what} has a value that is not possible."),
)


class _Help(argparse.HelpFormatter):
    """The first line of help in the asked language too."""

    # argparse's own parameters, handed on as they come.
    def add_usage(
        self,
        usage: str | None,
        actions: Any,
        groups: Any,
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, prefix or say("Usage: "))


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence of the asked language instead of ending the process."""

    # argparse's own parameters, handed on as they come.
    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Help, **options)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{_sentence(message)} {say('See {command} --help.', command=self.prog)}")


def _sentence(message: str) -> str:
    for form, told in COMPLAINTS:
        if found := re.fullmatch(form, message, re.DOTALL):
            return say(told, what=found.group(1))
    return say("Not understood: {what}.", what=message)


def parser(areas: Mapping[str, Sequence[Command]], own: Sequence[OwnCommand]) -> Parser:
    """All commands; ``own`` are those without an area, such as sign-in."""
    top = Parser(
        prog="portalctl",
        description=say("The portal of an AI computing centre, at a terminal."),
        add_help=False,
        allow_abbrev=False,
    )
    _add_common(top).add_argument(
        "--version",
        action="version",
        version=f"portalctl {VERSION}",
        help=say("Say which version this is."),
    )
    chosen = top.add_subparsers(
        title=say("Commands"), metavar=say("COMMAND"), required=True, dest="area"
    )
    for one in own:
        _fill(_below(chosen, top, one.verb, say(one.says)), one)
    for area, commands in areas.items():
        verbs = [command.verb for command in commands]
        below = _below(chosen, top, area, ", ".join(verbs))
        which = below.add_subparsers(
            title=say("Commands"), metavar=say("COMMAND"), required=True, dest="verb"
        )
        for command in commands:
            _fill(_below(which, below, command.verb, say(command.says)), command)
    return top


def _below(
    chosen: "argparse._SubParsersAction[Parser]", above: Parser, name: str, says: str
) -> Parser:
    made = chosen.add_parser(
        name,
        help=says,
        prog=f"{above.prog} {name}",
        description=says,
        add_help=False,
        allow_abbrev=False,
    )
    _add_common(made)
    return made


def _add_common(made: Parser) -> argparse._ArgumentGroup:
    """What every command takes; in a group of ours, because argparse's has an English name."""
    group = made.add_argument_group(say("Options"))
    group.add_argument("-h", "--help", action="help", help=say("Show this."))
    # Before or after the command: a missing later one must not undo the earlier.
    group.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help=say("Give JSON instead of a table."),
    )
    return group


def _fill(made: Parser, command: Command | OwnCommand) -> None:
    group = made.add_argument_group(say("Arguments")) if command.arguments else made
    for argument in command.arguments:
        group.add_argument(argument.name, help=say(argument.says), **argument.options)
    made.set_defaults(command=command)
