"""The OpenAPI document as typed facts; what the client could not say truly stops the generator."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal_client.generating import names

# The document is nested JSON, and its shape is what this module finds out.
Json = Any

VERBS = ("get", "post", "put", "patch", "delete")
NDJSON = "application/x-ndjson"
JSON = "application/json"
# How the API writes decimal numbers: in strings of this form.
DECIMAL_PATTERN = r"^-?\d{1,20}(\.\d{1,15})?$"
FORMATS = {"uuid": "UUID", "date-time": "datetime", "date": "date"}


class Unsayable(Exception):
    """The document has something that the client has no true type for."""


@dataclass(frozen=True)
class Member:
    """A member of an object or a parameter of an operation.

    Shape: ``kind`` is its Python type; ``is_nullable`` that null can be sent or come; ``only`` the
    one word that can be sent, where there is no other.
    """

    name: str
    kind: str
    is_required: bool
    is_nullable: bool
    note: str
    only: str = ""

    @property
    def python(self) -> str:
        return names.variable(self.name)


@dataclass(frozen=True)
class Model:
    """An object of the API."""

    schema: str
    note: str
    members: Sequence[Member]
    refers_to: frozenset[str]

    @property
    def python(self) -> str:
        return names.of_schema(self.schema)


@dataclass(frozen=True)
class Choice:
    """A closed list of words that may be sent."""

    schema: str
    words: Sequence[str]

    @property
    def python(self) -> str:
        return names.of_schema(self.schema)


@dataclass(frozen=True)
class Operation:
    """One method of one address.

    Shape: ``gives`` is "model", "pages", "lines", "download" or "nothing", ``answer`` the schema
    it is of. ``batch`` names the one parameter whose list is the body; else ``body`` are members.
    """

    identifier: str
    name: str
    tag: str
    verb: str
    path: str
    note: str
    scope: str
    in_path: Sequence[Member]
    in_query: Sequence[Member]
    body: Sequence[Member]
    batch: Member | None
    sends_lines: bool
    key: str
    gives: str
    answer: str
    refers_to: frozenset[str]


@dataclass(frozen=True)
class Document:
    """Everything the client is made from."""

    title: str
    models: Mapping[str, Model]
    choices: Mapping[str, Choice]
    operations: Sequence[Operation]

    def reached(self, schemas: Iterator[str] | frozenset[str]) -> set[str]:
        """These schemas and all that they are made of."""
        found: set[str] = set()
        waiting = list(schemas)
        while waiting:
            schema = waiting.pop()
            if schema not in found:
                found.add(schema)
                if schema in self.models:
                    waiting.extend(self.models[schema].refers_to)
        return found


def read(document: Json) -> Document:
    """The facts of a document. Raises: Unsayable."""
    schemas = document["components"]["schemas"]
    kinds = _Kinds(schemas)
    models = {
        name: _model(kinds, name, schema)
        for name, schema in schemas.items()
        if schema.get("type") == "object" and name != "Problem" and not _is_page(schema)
    }
    choices = {
        name: Choice(name, tuple(schema["enum"]))
        for name, schema in schemas.items()
        if "enum" in schema
    }
    operations = [
        _operation(kinds, path, verb.upper(), said)
        for path, methods in sorted(document["paths"].items())
        for verb, said in methods.items()
        if verb in VERBS
    ]
    return Document(document["info"]["title"], models, choices, _named(operations))


def _named(operations: Sequence[Operation]) -> list[Operation]:
    """Two methods of one resource that would share a name go by the document's own names."""
    spoken = [f"{one.tag} {one.name}" for one in operations]
    twice = names.doubles(spoken)
    return [
        Operation(**{**vars(one), "name": names.snake(one.identifier)}) if said in twice else one
        for one, said in zip(operations, spoken, strict=True)
    ]


def _is_page(schema: Json) -> bool:
    return set(schema.get("properties", {})) == {"items", "next"}


def _reference(schema: Json) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[-1]


@dataclass(frozen=True)
class _Kinds:
    """Python's types for the document's."""

    schemas: Json

    def of(self, schema: Json, place: str, *, sent: bool) -> tuple[str, bool, frozenset[str]]:
        """The type without its null, whether null is one of it, and the schemas it names."""
        if "$ref" in schema:
            return self._referred(_reference(schema), sent=sent)
        for union in ("oneOf", "anyOf", "allOf"):
            if union in schema:
                return self._united(schema[union], place, sent=sent)
        said = schema.get("type")
        if isinstance(said, list):
            (one,) = (part for part in said if part != "null")
            kind, _null, refers = self.of({**schema, "type": one}, place, sent=sent)
            return kind, "null" in said, refers
        if said == "array":
            inner, _null, refers = self.of(schema["items"], place, sent=sent)
            return (f"Sequence[{inner}]" if sent else f"tuple[{inner}, ...]"), False, refers
        if said == "object":
            return self._mapping(schema, place, sent=sent)
        return self._simple(schema, place, sent=sent), False, frozenset()

    def only_word(self, schema: Json) -> str:
        """The one word that a choice leaves; empty where it leaves more."""
        named = self.schemas[_reference(schema)] if "$ref" in schema else {}
        words: Sequence[str] = named.get("enum", ())
        return str(words[0]) if len(words) == 1 else ""

    def _referred(self, name: str, *, sent: bool) -> tuple[str, bool, frozenset[str]]:
        if "enum" in self.schemas[name]:
            # A newer portal may answer with a word that this client does not know.
            used = frozenset({name}) if sent else frozenset()
            return (names.of_schema(name) if sent else "str"), False, used
        return names.of_schema(name), False, frozenset({name})

    def _united(self, parts: Json, place: str, *, sent: bool) -> tuple[str, bool, frozenset[str]]:
        real = [part for part in parts if part.get("type") != "null" and part.get("enum") != [""]]
        if len(real) != 1:
            raise Unsayable(f"{place}: one of several types.")
        kind, null, refers = self.of(real[0], place, sent=sent)
        return kind, null or any(part.get("type") == "null" for part in parts), refers

    def _mapping(self, schema: Json, place: str, *, sent: bool) -> tuple[str, bool, frozenset[str]]:
        if "properties" in schema:
            raise Unsayable(f"{place}: an object without a name of its own.")
        inner = schema.get("additionalProperties")
        if not isinstance(inner, dict) or not inner:
            return "Mapping[str, object]", False, frozenset()
        kind, _null, refers = self.of(inner, place, sent=sent)
        return f"Mapping[str, {kind}]", False, refers

    def _simple(self, schema: Json, place: str, *, sent: bool) -> str:
        said = schema.get("type")
        if said == "string":
            if schema.get("pattern") == DECIMAL_PATTERN:
                return "Decimal"
            if "enum" in schema and sent:
                return f"Literal[{', '.join(repr(word) for word in schema['enum'])}]"
            return FORMATS.get(schema.get("format", ""), "str")
        if said == "integer":
            return "int"
        if said == "boolean":
            return "bool"
        if said is None and not {"properties", "items"} & set(schema):
            return "object"
        raise Unsayable(f"{place}: {said} has no exact type.")


def _model(kinds: _Kinds, name: str, schema: Json) -> Model:
    sent = name.endswith("Request")
    members, refers = _members(kinds, name, schema, sent=sent)
    return Model(name, _note(schema) if not sent else "", members, refers)


def _members(
    kinds: _Kinds, place: str, schema: Json, *, sent: bool
) -> tuple[list[Member], frozenset[str]]:
    required = set(schema.get("required", ()))
    found: list[Member] = []
    refers: set[str] = set()
    for name, said in schema.get("properties", {}).items():
        kind, null, named = kinds.of(said, f"{place}.{name}", sent=sent)
        only = kinds.only_word(said) if sent else ""
        found.append(Member(name, kind, name in required, null, _note(said), only))
        refers |= named
    return sorted(found, key=lambda member: not member.is_required), frozenset(refers)


def _note(said: Json) -> str:
    """What the document says of it, without the list of words that its type has anyway."""
    text = str(said.get("description", ""))
    lines = [line for line in text.splitlines() if not line.startswith("* `")]
    # A paragraph is one line here; it is broken anew where it is written.
    return re.sub(r"(?<!\n)\n(?!\n)", " ", "\n".join(lines).strip())


def _operation(kinds: _Kinds, path: str, verb: str, said: Json) -> Operation:
    place = f"{verb} {path}"
    (success,) = (answer for status, answer in said["responses"].items() if status.startswith("2"))
    gives, answer = _answer(kinds, place, success.get("content", {}))
    in_path, in_query, key, refers = _parameters(kinds, place, said.get("parameters", ()))
    body, batch, sends_lines, sent = _body(kinds, place, said.get("requestBody"))
    return Operation(
        identifier=said["operationId"],
        name=names.of_operation(verb, path, is_page=gives == "pages"),
        tag=said["tags"][0],
        verb=verb,
        path=path,
        note=_note(said),
        scope=said.get("x-required-scope", ""),
        in_path=sorted(in_path, key=lambda member: path.index(f"{{{member.name}}}")),
        in_query=sorted(in_query, key=lambda member: not member.is_required),
        body=body,
        batch=batch,
        sends_lines=sends_lines,
        key=key,
        gives=gives,
        answer=answer,
        refers_to=refers | sent | (frozenset({answer}) if answer else frozenset()),
    )


def _answer(kinds: _Kinds, place: str, content: Json) -> tuple[str, str]:
    if not content:
        return "nothing", ""
    if NDJSON in content:
        return "lines", _reference(content[NDJSON]["schema"])
    if JSON not in content:
        return "download", ""
    name = _reference(content[JSON]["schema"])
    if not _is_page(kinds.schemas[name]):
        return "model", name
    items = kinds.schemas[name]["properties"]["items"]["items"]
    if "$ref" not in items:
        raise Unsayable(f"{place}: a page of things without a name.")
    return "pages", _reference(items)


def _parameters(
    kinds: _Kinds, place: str, said: Json
) -> tuple[list[Member], list[Member], str, frozenset[str]]:
    """Those in the path, those in the query, and whether a key is "required", "optional" or ""."""
    in_path: list[Member] = []
    in_query: list[Member] = []
    refers: set[str] = set()
    key = ""
    for one in said:
        required = bool(one.get("required"))
        if one["in"] == "header":
            if one["name"] != "Idempotency-Key":
                raise Unsayable(f"{place}: the header {one['name']}.")
            key = "required" if required else "optional"
            continue
        kind, null, named = kinds.of(one["schema"], f"{place}?{one['name']}", sent=True)
        refers |= named
        if one["in"] == "path":
            kind = "UUID | str" if one["name"].endswith("_id") else kind
        place_of = in_path if one["in"] == "path" else in_query
        place_of.append(Member(one["name"], kind, required, null, _note(one)))
    return in_path, in_query, key, frozenset(refers)


def _body(
    kinds: _Kinds, place: str, said: Json
) -> tuple[Sequence[Member], Member | None, bool, frozenset[str]]:
    """The members of the body, or the one parameter whose list it is; and the schemas named."""
    if said is None:
        return (), None, False, frozenset()
    content = said["content"]
    if NDJSON in content:
        name = _reference(content[NDJSON]["schema"])
        return (), _batch(name), True, frozenset({name})
    if JSON not in content:
        raise Unsayable(f"{place}: a body of {', '.join(content)}.")
    schema = content[JSON]["schema"]
    if "oneOf" in schema:
        (many,) = (part for part in schema["oneOf"] if part.get("type") == "array")
        name = _reference(many["items"])
        return (), _batch(name), False, frozenset({name})
    name = _reference(schema)
    members, refers = _members(kinds, name, kinds.schemas[name], sent=True)
    return members, None, False, refers


def _batch(schema: str) -> Member:
    # A mapping is sent as it is, for programs that have the thing as JSON already.
    kind = f"Sequence[{names.of_schema(schema)} | Mapping[str, object]]"
    return Member(
        name=names.plural(schema), kind=kind, is_required=True, is_nullable=False, note=""
    )
