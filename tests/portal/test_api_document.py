"""The OpenAPI document: committed, complete, kept by the product, shown without outside help."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client, override_settings
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from portal.api.schema import document
from portal.wsgi import application
from tenants.models import Organisation
from tenants.scoping import operator_scope
from tests.factories.program import program

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
EXAMPLES = 12
CHINESE = re.compile("[\u4e00-\u9fff]")
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
# Its events are known by their own ids, each apart: the whole may break off anywhere.
WITHOUT_KEY = {"/api/v1/usage/stream"}


@schemathesis.serializer("application/x-ndjson")
def _one_line(_context: Any, value: Any) -> bytes:
    """What was generated as the only line of a stream; sometimes that is no JSON at all."""
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"


def test_the_committed_document_is_the_products(tmp_path: Path) -> None:
    fresh = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(fresh), validate=True, fail_on_warn=True)
    assert yaml.safe_load(fresh.read_text()) == yaml.safe_load(COMMITTED.read_text()), (
        "Run: python manage.py spectacular --file docs/openapi.yaml"
    )


def test_every_operation_documents_its_refusals_and_its_scope() -> None:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            statuses = set(operation["responses"])
            assert {"400", "401", "403", "422", "429", "500", "503"} <= statuses, path
            assert operation["x-required-scope"].count(":") == 2
            assert operation["description"], f"{method} {path} says nothing"
            if method == "post":
                said = operation.get("parameters", [])
                headers = [p["name"] for p in said if p["in"] == "header"]
                assert headers == ([] if path in WITHOUT_KEY else ["Idempotency-Key"]), path


@pytest.mark.parametrize(("language", "word"), [("en", "Needed scope"), ("zh-hans", "所需权限")])
def test_the_document_is_browsable_in_both_languages(language: str, word: str) -> None:
    page = Client().get("/docs/api/", headers={"Accept-Language": language})
    text = page.content.decode()
    assert page.status_code == 200
    assert word in text
    assert "POST /api/v1/projects" in text
    for forbidden in ("http://cdn", "https://cdn", "<style", " style=", "onclick="):
        assert forbidden not in text


def test_the_chinese_page_explains_nothing_in_english() -> None:
    page = Client().get("/docs/api/", headers={"Accept-Language": "zh-hans"})
    operations = page.context["operations"]
    said = [page.context["info"]["description"], *(text for _, text in page.context["refusals"])]
    said += [one.summary for one in operations]
    said += [
        member.description
        for one in operations
        for member in (*one.parameters, *one.body, *one.answer)
        if member.description
    ]
    assert len(operations) == 84
    assert [text for text in said if not CHINESE.search(str(text))] == []


@pytest.fixture
def secret(transactional_db: None) -> str:
    cache.clear()
    with operator_scope():
        alice = Organisation.objects.create(code="alice", name="Alice")
    return program(alice).secret


@override_settings(API_REQUESTS_PER_MINUTE=1_000_000)
@pytest.mark.parametrize(
    ("path", "method"),
    [(path, method) for path, methods in document()["paths"].items() for method in methods],
)
def test_no_generated_request_breaks_an_operation(secret: str, path: str, method: str) -> None:
    """Schemathesis: no 5xx, no undocumented status, every answer as its schema says."""
    schema: Any = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    operation = schema[path][method.upper()]

    cases = operation.as_strategy(
        generation_mode=schemathesis.GenerationMode.POSITIVE
    ) | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def run(case: Any) -> None:
        response = case.call(headers={"Authorization": f"Bearer {secret}"})
        assert response.status_code < 500, response.content[:500]
        case.validate_response(response, checks=CHECKS)

    run()
