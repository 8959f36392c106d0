"""The facts of the document as Python source."""

import re
import subprocess
import sys
import tempfile
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from portal_client.generating import names
from portal_client.generating.document import Document, Member, Operation, Unsayable

WIDTH = 96
ORIGIN = "Made from docs/openapi.yaml by portal_client.generating; not edited by hand."
SHARED = "shared"
STANDARD = (
    ("collections.abc", ("Mapping", "Sequence")),
    ("dataclasses", ("dataclass",)),
    ("datetime", ("date", "datetime")),
    ("decimal", ("Decimal",)),
    ("typing", ("Literal",)),
    ("uuid", ("UUID",)),
)
OURS = (
    ("portal_client.calls", ("Call", "Download", "Pages", "body_of", "key_for", "path")),
    ("portal_client.encoding", ("UNSET", "Unset")),
    ("portal_client.transport", ("Transport",)),
)
GIVES = {"model": "answer", "nothing": "nothing", "download": "download", "lines": "lines"}


def render(document: Document) -> dict[str, str]:
    """Every file of ``portal_client/api``, by its name, not yet formatted."""
    homes = _homes(document)
    tags = sorted({operation.tag for operation in document.operations})
    files = {f"{names.snake(tag)}.py": _resource(document, tag, homes) for tag in tags}
    shared = sorted(schema for schema, home in homes.items() if home == SHARED)
    if shared:
        text = "\n\n".join(_definitions(document, shared))
        files[f"{SHARED}.py"] = _module("What several resources speak of.", text, SHARED, homes)
    files["models.py"] = _models(homes)
    files["__init__.py"] = _package(document, tags)
    return files


def formatted(files: Mapping[str, str]) -> dict[str, str]:
    """The files as the house's formatter writes them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "ruff", "format", "--quiet", "--isolated"]
        # Ours to choose: the command is fixed, and its files were written here.
        subprocess.run(  # noqa: S603
            [*command, "--line-length", "100", "--target-version", "py311", folder], check=True
        )
        return {name: (Path(folder) / name).read_text(encoding="utf-8") for name in sorted(files)}


def _homes(document: Document) -> dict[str, str]:
    """The module of each schema: its only resource's, or the shared one."""
    users: dict[str, set[str]] = defaultdict(set)
    for operation in document.operations:
        for schema in document.reached(operation.refers_to):
            users[schema].add(names.snake(operation.tag))
    homes = {
        schema: next(iter(tags)) if len(tags) == 1 else SHARED for schema, tags in users.items()
    }
    spoken = [names.of_schema(schema) for schema in homes]
    if twice := names.doubles(spoken):
        raise Unsayable(f"Two schemas would both be called {', '.join(sorted(twice))}.")
    return homes


def _definitions(document: Document, schemas: Sequence[str]) -> list[str]:
    """Choices first, then objects, each after those it is made of."""
    ordered: list[str] = []

    def place(schema: str, waiting: tuple[str, ...] = ()) -> None:
        if schema in ordered or schema not in schemas:
            return
        if schema in waiting:
            raise Unsayable(f"{schema} is made of itself.")
        for inner in sorted(document.models[schema].refers_to if schema in document.models else ()):
            place(inner, (*waiting, schema))
        ordered.append(schema)

    for schema in schemas:
        place(schema)
    choices = [_choice(document, schema) for schema in ordered if schema in document.choices]
    return choices + [_class(document, schema) for schema in ordered if schema in document.models]


def _choice(document: Document, schema: str) -> str:
    choice = document.choices[schema]
    words = ", ".join(f'"{word}"' for word in choice.words)
    return f"{choice.python} = Literal[{words}]"


def _class(document: Document, schema: str) -> str:
    model = document.models[schema]
    lines = [
        "@dataclass(frozen=True, slots=True, kw_only=True)",
        f"class {model.python}:",
        *_docstring(model.note or f"``{schema}`` of the API.", 4),
        "",
    ]
    sent = schema.endswith("Request")
    for member in model.members:
        lines += [f"    # {line}" for line in _wrapped(member.note, 6)]
        lines.append(f"    {member.python}: {_annotated(member, sent=sent)}")
    return "\n".join(lines)


def _annotated(member: Member, *, sent: bool) -> str:
    """The member's type, and its default where it may be missing."""
    if not sent:
        return f"{member.kind} | None" if member.is_nullable else member.kind
    if member.only:
        return f'{member.kind} = "{member.only}"'
    if member.is_required:
        return f"{member.kind} | None" if member.is_nullable else member.kind
    if member.is_nullable:
        return f"{member.kind} | None | Unset = UNSET"
    return f"{member.kind} | None = None"


def _resource(document: Document, tag: str, homes: Mapping[str, str]) -> str:
    home = names.snake(tag)
    mine = sorted(schema for schema, place in homes.items() if place == home)
    operations = [one for one in document.operations if one.tag == tag]
    body = [
        *_definitions(document, _needed(document, operations, mine)),
        "\n".join(
            [
                f"class {names.pascal(tag)}Api:",
                *_docstring(f"The operations of ``/api/v1/{tag}``.", 4),
                "",
                "    def __init__(self, transport: Transport) -> None:",
                "        self._transport = transport",
                "",
                *(_method(document, operation) for operation in operations),
            ]
        ),
    ]
    return _module(f"{tag.replace('-', ' ').capitalize()}.", "\n\n\n".join(body), home, homes)


def _needed(
    document: Document, operations: Iterable[Operation], schemas: Sequence[str]
) -> list[str]:
    """Without the bodies whose members are a method's own arguments."""
    named = {schema for one in operations for schema in document.reached(one.refers_to)}
    return [schema for schema in schemas if schema in named]


def _method(document: Document, operation: Operation) -> str:
    return "\n".join(
        [
            f"    def {operation.name}({', '.join(_arguments(operation))}) -> "
            f"{_returned(document, operation)}:",
            *_docstring(_told(operation), 8),
            f"        {_sent(document, operation)}",
            "",
        ]
    )


def _arguments(operation: Operation) -> list[str]:
    found = ["self", *(f"{one.python}: {one.kind}" for one in operation.in_path)]
    if operation.batch:
        found.append(f"{operation.batch.python}: {operation.batch.kind}")
    named = [f"{one.python}: {_annotated(one, sent=True)}" for one in operation.body]
    named += [
        f"{one.python}: {one.kind}"
        if one.is_required
        else f"{one.python}: {one.kind} | None = None"
        for one in operation.in_query
    ]
    if operation.key:
        named.append("idempotency_key: str | None = None")
    given = [text.split(":")[0] for text in found + named]
    if names.doubles(given):
        raise Unsayable(f"{operation.identifier}: two arguments of one name.")
    return [*found, "*", *named] if named else found


def _returned(document: Document, operation: Operation) -> str:
    model = names.of_schema(operation.answer)
    return {
        "model": model,
        "pages": f"Pages[{model}]",
        "lines": f"tuple[{model}, ...]",
        "download": "Download",
        "nothing": "None",
    }[operation.gives]


def _told(operation: Operation) -> str:
    """The docstring: what it does, what its arguments mean, and the scope it needs."""
    explained = [
        f"``{one.python}``: {' '.join(one.note.split())}"
        for one in (*operation.in_path, *operation.body, *operation.in_query)
        if one.note
    ]
    if operation.key:
        explained.append(
            "``idempotency_key``: The same key gives the same answer; "
            + ("made where none is given." if operation.key == "required" else "none is needed.")
        )
    parts = [operation.note, "\n".join(explained), f"Scope: {operation.scope}."]
    return "\n\n".join(part for part in parts if part)


def _sent(document: Document, operation: Operation) -> str:
    call = f"Call({', '.join(_call(operation))})"
    model = names.of_schema(operation.answer)
    if operation.gives == "pages":
        return f"return self._transport.pages({model}, {call}, cursor)"
    if operation.gives == "nothing":
        return f"self._transport.nothing({call})"
    shape = f"{model}, " if operation.answer else ""
    return f"return self._transport.{GIVES[operation.gives]}({shape}{call})"


def _call(operation: Operation) -> list[str]:
    steps = operation.path.strip("/").split("/")[2:]
    written = ", ".join(
        names.variable(step[1:-1]) if step.startswith("{") else f'"{step}"' for step in steps
    )
    found = [f'"{operation.verb}"', f"path({written})"]
    query = _mapping(one for one in operation.in_query if not _is_cursor(operation, one))
    if query:
        found.append(f"query={{{query}}}")
    if operation.batch:
        found += [f"body={operation.batch.python}", "has_body=True"]
    elif operation.body:
        sure = _mapping(one for one in operation.body if one.is_required or one.is_nullable)
        rest = _mapping(one for one in operation.body if not (one.is_required or one.is_nullable))
        found += [f"body=body_of({{{sure}}}, {{{rest}}})", "has_body=True"]
    if operation.sends_lines:
        found.append("lines=True")
    if operation.key:
        wanted = operation.key == "required"
        found.append("key=key_for(idempotency_key)" if wanted else 'key=idempotency_key or ""')
    return found


def _is_cursor(operation: Operation, member: Member) -> bool:
    return operation.gives == "pages" and member.name == "cursor"


def _mapping(members: Iterable[Member]) -> str:
    return ", ".join(f'"{one.name}": {one.python}' for one in members)


def _models(homes: Mapping[str, str]) -> str:
    by_home: dict[str, list[str]] = defaultdict(list)
    for schema, home in homes.items():
        by_home[home].append(names.of_schema(schema))
    imports = [
        f"from portal_client.api.{home} import {', '.join(sorted(by_home[home]))}"
        for home in sorted(by_home)
    ]
    everything = sorted(name for found in by_home.values() for name in found)
    listed = ", ".join(f'"{name}"' for name in everything)
    return "\n".join(
        [*_docstring(f"Everything that is sent and given.\n\n{ORIGIN}", 0), "", *imports, "",
         f"__all__ = [{listed}]", ""]
    )  # fmt: skip


def _package(document: Document, tags: Sequence[str]) -> str:
    imports = sorted(
        f"from portal_client.api.{names.snake(tag)} import {names.pascal(tag)}Api" for tag in tags
    )
    lines = [
        *_docstring(f"{document.title}, as methods.\n\n{ORIGIN}", 0),
        "",
        *imports,
        "from portal_client.transport import Transport",
        "",
        "",
        "class Api:",
        *_docstring("Every resource of the API.", 4),
        "",
        "    def __init__(self, transport: Transport) -> None:",
        *(f"        self.{names.snake(tag)} = {names.pascal(tag)}Api(transport)" for tag in tags),
        "",
        "",
        "# The document's name of each operation, and where it is here.",
        "OPERATIONS = {",
        *(
            f'    "{one.identifier}": ("{names.snake(one.tag)}", "{one.name}"),'
            for one in document.operations
        ),
        "}",
        "",
    ]
    return "\n".join(lines)


def _module(first: str, text: str, home: str, homes: Mapping[str, str]) -> str:
    imports = [_import(module, wanted, text) for module, wanted in STANDARD]
    ours = [_import(module, wanted, text) for module, wanted in OURS]
    shared = [names.of_schema(schema) for schema, place in homes.items() if place == SHARED]
    if home != SHARED:
        ours.append(_import(f"portal_client.api.{SHARED}", shared, text))
    blocks = ["\n".join(sorted(line for line in block if line)) for block in (imports, ours)]
    head = _docstring(f"{first}\n\n{ORIGIN}", 0)
    # The linter wants two empty lines before a class and one before anything else.
    gap = [""] if text.startswith(("@", "class ")) else []
    return "\n\n".join(["\n".join(head), *(block for block in blocks if block), *gap, text]) + "\n"


def _import(module: str, wanted: Sequence[str], text: str) -> str:
    used = [name for name in sorted(wanted, key=_import_order) if re.search(rf"\b{name}\b", text)]
    return f"from {module} import {', '.join(used)}" if used else ""


def _import_order(name: str) -> tuple[int, str]:
    """Constants, classes, functions, as the house's linter sorts them."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2), name


def _docstring(text: str, indent: int) -> list[str]:
    """A docstring whose lines fit; a backslash or a quote at an end cannot break it."""
    safe = text.replace("\\", "\\\\").replace('"""', "'''")
    lines = [line for part in safe.splitlines() for line in _wrapped(part, indent + 3) or [""]]
    gap = " " * indent
    if len(lines) == 1:
        end = " " if lines[0].endswith('"') else ""
        return [f'{gap}"""{lines[0]}{end}"""']
    body = [f"{gap}{line}" if line else "" for line in lines[1:]]
    return [f'{gap}"""{lines[0]}', *body, f'{gap}"""']


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), WIDTH - indent, break_on_hyphens=False)
