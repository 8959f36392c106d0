"""What things are called in Python, from what the document calls them."""

import keyword
import re
from collections.abc import Sequence

VERBS = {"GET": "get", "POST": "create", "DELETE": "delete", "PUT": "replace", "PATCH": "change"}


def snake(text: str) -> str:
    """``credit-notes``, ``getCreditNote`` and ``lines.csv`` in Python's spelling."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def pascal(text: str) -> str:
    return "".join(word.capitalize() for word in snake(text).split("_"))


def variable(text: str) -> str:
    """A parameter or a member; Python's own words get an underscore that is never sent."""
    name = text if text.isidentifier() else snake(text)
    return f"{name}_" if keyword.iskeyword(name) else name


def of_schema(name: str) -> str:
    """``ReservationOut`` is a Reservation, ``EventInRequest`` is an EventInput."""
    if name.endswith("InRequest"):
        return name.removesuffix("InRequest") + "Input"
    for ending in ("Out", "Enum"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def of_operation(verb: str, path: str, *, is_page: bool) -> str:
    """The method's name within its resource, from the steps after the resource's own.

    A POST on one thing is that thing's action and needs no verb: ``submit``, ``resend``.
    """
    steps = path.strip("/").split("/")[3:]
    fixed = "_".join(snake(step) for step in steps if not step.startswith("{"))
    on_one_thing = any(step.startswith("{") for step in steps)
    if verb == "POST" and on_one_thing:
        return variable(fixed or "change")
    word = "list" if is_page else VERBS[verb]
    return f"{word}_{fixed}" if fixed else word


def plural(schema: str) -> str:
    return f"{snake(of_schema(schema).removesuffix('Input'))}s"


def doubles(names: Sequence[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}
