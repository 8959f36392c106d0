"""The generated client is the document's, whole and exact."""

import copy
import inspect
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints
from uuid import UUID

import pytest
import yaml

from portal_client import Client
from portal_client.api import OPERATIONS, Api, models
from portal_client.generating.__main__ import DOCUMENT, TARGET, generated
from portal_client.generating.document import DECIMAL_PATTERN, Unsayable, read
from portal_client.generating.names import of_schema, variable
from portal_client.generating.writing import render


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, verb.upper(), operation)
        for path, methods in document["paths"].items()
        for verb, operation in methods.items()
    ]


def method(identifier: str) -> Any:
    group, name = OPERATIONS[identifier]
    return getattr(getattr(Client("http://127.0.0.1:9", "k"), group), name)


def test_the_committed_client_is_what_the_generator_makes_of_the_document() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in TARGET.glob("*.py")}
    assert committed == generated(DOCUMENT), "Run: python -m portal_client.generating"


def test_every_operation_of_the_document_has_a_method_and_no_method_is_of_another(
    document: Any,
) -> None:
    assert set(OPERATIONS) == {one["operationId"] for _path, _verb, one in operations(document)}
    assert len(set(OPERATIONS.values())) == len(OPERATIONS)
    client = Api(None)  # type: ignore[arg-type]  # nothing is sent
    public = {
        (group, name)
        for group, resource in vars(client).items()
        for name, _member in inspect.getmembers(resource, inspect.ismethod)
        if not name.startswith("_")
    }
    assert public == set(OPERATIONS.values())


def test_every_method_takes_what_its_operation_takes_and_says_what_it_does(document: Any) -> None:
    for path, verb, operation in operations(document):
        told = method(operation["operationId"])
        arguments = set(inspect.signature(told).parameters)
        stated = {
            variable(one["name"])
            for one in operation.get("parameters", ())
            if one["in"] in {"path", "query"}
        }
        assert stated <= arguments, f"{verb} {path}"
        has_key = any(one["in"] == "header" for one in operation.get("parameters", ()))
        assert ("idempotency_key" in arguments) is has_key, f"{verb} {path}"
        first = operation["description"].split("\n")[0].split(" ")[0]
        assert (told.__doc__ or "").startswith(first), f"{verb} {path}"


def test_money_is_decimal_times_are_aware_and_ids_are_uuids(document: Any) -> None:
    kinds = {"date-time": datetime, "uuid": UUID}
    seen = 0
    for name, schema in document["components"]["schemas"].items():
        shape = getattr(models, of_schema(name), None)
        if shape is None or not name.endswith("Out"):
            continue
        hints = get_type_hints(shape)
        for member, said in schema["properties"].items():
            wanted = kinds.get(said.get("format"))
            if said.get("pattern") == DECIMAL_PATTERN:
                wanted = Decimal
            if wanted is not None:
                nullable = isinstance(said["type"], list)
                expected = wanted | None if nullable else wanted
                assert hints[variable(member)] == expected, f"{name}.{member}"
                seen += 1
    assert seen > 100


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"type": "number"}, "number has no exact type."),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "one of several types."),
        ({"type": "object", "properties": {}}, "an object without a name of its own."),
    ],
)
def test_what_has_no_true_type_stops_the_generator(
    document: Any, schema: dict[str, Any], sentence: str
) -> None:
    changed = copy.deepcopy(document)
    changed["components"]["schemas"]["WalletOut"]["properties"]["balance"] = schema
    with pytest.raises(Unsayable) as refused:
        read(changed)
    assert str(refused.value) == f"WalletOut.balance: {sentence}"


def test_lines_in_and_lines_out_become_one_method(document: Any) -> None:
    changed = copy.deepcopy(document)
    operation = changed["paths"]["/api/v1/usage/events"]["post"]
    one = {"$ref": "#/components/schemas/EventInRequest"}
    many = {"$ref": "#/components/schemas/EventResultOut"}
    lines = "application/x-ndjson"
    changed["paths"]["/api/v1/usage/lines"] = {
        "post": {
            **operation,
            "operationId": "makeUsageLines",
            "parameters": [],
            "requestBody": {"content": {lines: {"schema": one}}},
            "responses": {"200": {"content": {lines: {"schema": many}}}},
        }
    }
    text = render(read(changed))["usage.py"]
    assert (
        "def create_lines(self, events: Sequence[EventInput | Mapping[str, object]]) -> "
        "tuple[EventResult, ...]:" in text
    )
    assert (
        'return self._transport.lines(EventResult, Call("POST", path("usage", "lines"), '
        "body=events, has_body=True, lines=True))" in text
    )


def test_two_operations_of_one_name_go_by_the_document_s_names(document: Any) -> None:
    changed = copy.deepcopy(document)
    twin = copy.deepcopy(changed["paths"]["/api/v1/wallet"]["get"])
    changed["paths"]["/api/v1/wallet/{wallet_id}"] = {
        "get": {
            **twin,
            "operationId": "getOneWallet",
            "parameters": [
                {"in": "path", "name": "wallet_id", "required": True, "schema": {"type": "string"}}
            ],
        }
    }
    named = {one.identifier: one.name for one in read(changed).operations}
    assert (named["getWallet"], named["getOneWallet"]) == ("get_wallet", "get_one_wallet")


def test_the_generated_files_hold_no_path_of_a_machine() -> None:
    for path in TARGET.glob("*.py"):
        assert str(Path.cwd()) not in path.read_text(encoding="utf-8")
