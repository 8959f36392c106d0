"""Every address x method x actor x whose id: the isolation gate.

For each case the answer is the one the table promises; somebody else's thing and a missing thing
are the same answer, byte for byte; no answer holds another tenant's canary; no request changes a
row of another tenant.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from django.db import transaction
from django.http import HttpResponse

from tests.access.table import METHODS, SAFE, Expect, Names, Row, address, routes, table
from tests.access.worlds import Browser, Stage, fingerprint
from tests.factories import Nowhere

TENANT_ROWS = [row for row in table() if row.kind == "tenant" and not row.exempt]
OPERATOR_ROWS = [row for row in table() if row.kind == "operator" and not row.exempt]
API_ROWS = [row for row in table() if row.kind == "api" and not row.exempt]
PUBLIC_ROWS = [row for row in table() if row.kind == "public" and not row.exempt]

_CSRF = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]+"|"X-CSRFToken": ?"[^"]+"')
_NONCE = re.compile(rb'nonce="[^"]+"')


@dataclass(frozen=True)
class Answer:
    """What can be told apart from outside."""

    status: int
    body: bytes
    kind: str


def by_route(row: Row) -> str:
    return row.route or "(root)"


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    listed = [row.route for row in table()]
    assert sorted(set(routes()) - set(listed)) == [], "addresses without a row"
    assert sorted(set(listed) - set(routes())) == [], "rows without an address"
    assert len(listed) == len(set(listed))


def test_every_exemption_gives_its_reason() -> None:
    assert all(len(row.exempt) > 10 for row in table() if row.exempt)


@contextmanager
def _taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _ask(browser: Browser, method: str, path: str, row: Row, body: dict[str, object]) -> Answer:
    headers = dict(browser.headers)
    if row.kind == "api":
        headers["Idempotency-Key"] = str(uuid4())
        sent: dict[str, object] = {"data": json.dumps(body), "content_type": "application/json"}
    else:
        sent = {"data": body} if method == "POST" else {}
    if method in SAFE:
        sent = {}
    response = browser.client.generic(method, path, headers=headers, **_raw(method, sent))
    return _seen(response)


def _raw(method: str, sent: dict[str, object]) -> dict[str, object]:
    """The test client's generic() takes bytes; forms are written as a browser writes them."""
    if "content_type" in sent or not sent:
        return sent
    form = sent["data"]
    assert isinstance(form, dict)
    pairs = "&".join(f"{name}={value}" for name, value in form.items())
    return {"data": pairs, "content_type": "application/x-www-form-urlencoded"}


def _seen(response: HttpResponse) -> Answer:
    body = response.getvalue() if hasattr(response, "getvalue") else response.content
    body = body.replace(response["X-Request-ID"].encode(), b"(request)")
    body = _NONCE.sub(b"(nonce)", _CSRF.sub(b"(csrf)", body))
    return Answer(response.status_code, body, response.get("Content-Type", ""))


class Matrix:
    """One address under every method, actor and owner; collects what is wrong."""

    def __init__(self, stage: Stage, row: Row) -> None:
        self.stage = stage
        self.row = row
        self.cases = 0
        self.wrong: list[str] = []

    def ask(
        self, browser: Browser, method: str, names: Names, body_names: Names | None = None
    ) -> Answer:
        """One request, taken back afterwards; another tenant's canary or change is noted."""
        self.cases += 1
        expect = self.row.methods.get(method, Expect())
        path = address(self.row.route, self.row.names(names))
        with _taken_back():
            before = fingerprint(self.stage.bob) if method not in SAFE else ""
            answer = _ask(browser, method, path, self.row, expect.body(names))
            after = fingerprint(self.stage.bob) if method not in SAFE else ""
        if before != after and browser is not self.stage.stranger:
            self.wrong.append(f"{browser.name} {method} {path} changed another tenant's rows")
        looking_in = self.row.kind in {"tenant", "api"} and browser is not self.stage.stranger
        if looking_in and self.stage.bob.canary.encode() in answer.body:
            self.wrong.append(f"{browser.name} {method} {path} shows another tenant's rows")
        if answer.status >= 500:
            self.wrong.append(f"{browser.name} {method} {path} broke: {answer.body[:300]!r}")
        return answer

    def expect(self, browser: Browser, method: str, names: Names, status: int) -> None:
        answer = self.ask(browser, method, names)
        if answer.status != status:
            self.wrong.append(
                f"{browser.name} {method} {by_route(self.row)}: {answer.status}, not {status}: "
                f"{answer.body[:200]!r}"
            )

    def same(self, browser: Browser, method: str, *, foreign: Names, missing: Names) -> None:
        """Somebody else's and nobody's are one answer."""
        one, other = self.ask(browser, method, foreign), self.ask(browser, method, missing)
        if one != other:
            self.wrong.append(
                f"{browser.name} {method} {by_route(self.row)} tells foreign from missing: "
                f"{one} / {other}"
            )

    def has_ids(self) -> bool:
        return bool(self.row.names(Nowhere()))

    def has_object_ids(self) -> bool:
        return bool(set(self.row.names(Nowhere())) - {"tenant_code", "code"})

    def has_ids_in_body(self, method: str) -> bool:
        make = self.row.methods[method].body
        return make(Nowhere()) != make(self.stage.bob)


def _allowed(expect: Expect, browser: Browser, who: str) -> bool:
    if expect.scope is not None:
        return expect.scope.value in browser.scopes
    return who in expect.who


@pytest.mark.parametrize("row", API_ROWS, ids=by_route)
def test_programs_reach_their_own_tenant_only(stage: Stage, row: Row) -> None:
    matrix = Matrix(stage, row)
    for method in METHODS:
        declared = "GET" if method == "HEAD" else method
        if declared not in row.methods:
            matrix.expect(stage.full_key, method, stage.alice, 405)
            matrix.expect(stage.anonymous, method, stage.alice, 401)
            continue
        expect = row.methods[declared]
        for browser in [stage.anonymous, *stage.dead_keys, *stage.members[:1], stage.operators[0]]:
            matrix.expect(browser, method, stage.alice, 401)
        for browser in [*stage.keys, stage.full_key]:
            allowed = _allowed(expect, browser, "")
            status = _status(matrix, expect, browser, allowed=allowed)
            matrix.expect(browser, method, stage.alice, status)
            if matrix.has_ids():
                matrix.same(browser, method, foreign=stage.bob, missing=Nowhere())
            if matrix.has_ids_in_body(declared):
                matrix.same(browser, method, foreign=stage.bob, missing=Nowhere())
        matrix.expect(
            stage.suspended_key, method, stage.suspended, expect.suspended or expect.status
        )
    assert matrix.wrong == []
    assert matrix.cases >= 40


def _status(matrix: Matrix, expect: Expect, browser: Browser, *, allowed: bool) -> int:
    """A key that may make keys and holds nothing else has nothing to give."""
    lonely = len(browser.scopes) == 1 and matrix.row.route == "api/v1/keys"
    if allowed and lonely and expect.status == 201:
        return 403
    return expect.status if allowed else expect.refused


@pytest.mark.parametrize("row", TENANT_ROWS, ids=by_route)
def test_members_reach_their_own_tenant_only(stage: Stage, row: Row) -> None:
    matrix = Matrix(stage, row)
    for method in METHODS:
        declared = "GET" if method in {"HEAD"} else method
        expect = row.methods.get(declared)
        matrix.expect(stage.anonymous, method, stage.alice, 302)
        for browser in stage.members:
            if expect is None:
                matrix.expect(browser, method, stage.alice, 405)
                continue
            status = expect.status if browser.role in expect.who else expect.refused
            matrix.expect(browser, method, stage.alice, status)
            if matrix.has_object_ids():
                _foreign_objects(matrix, browser, method)
        _strangers(matrix, method)
        if expect is not None:
            _suspended_and_visitor(matrix, method, expect)
    assert matrix.wrong == []


class _Mixed:
    """Alice's console with somebody else's ids in it."""

    def __init__(self, code: str, others: Names) -> None:
        self.code = code
        self._others = others

    def pk(self, model: type) -> object:
        return self._others.pk(model)


def _foreign_objects(matrix: Matrix, browser: Browser, method: str) -> None:
    alice = matrix.stage.alice
    matrix.same(
        browser,
        method,
        foreign=_Mixed(alice.code, matrix.stage.bob),
        missing=_Mixed(alice.code, Nowhere()),
    )


def _strangers(matrix: Matrix, method: str) -> None:
    """People from elsewhere: another tenant's owner, and operators without a visit."""
    stage = matrix.stage
    for browser in [stage.stranger, *(o for o in stage.operators if o.role != "support")]:
        matrix.same(browser, method, foreign=stage.alice, missing=Nowhere())
        matrix.expect(browser, method, stage.alice, 404)
    for browser in stage.members:
        matrix.same(browser, method, foreign=stage.bob, missing=Nowhere())


def _suspended_and_visitor(matrix: Matrix, method: str, expect: Expect) -> None:
    stage = matrix.stage
    owner_allowed = "owner" in expect.who
    status = expect.suspended or (expect.status if owner_allowed else expect.refused)
    if method not in SAFE and expect.suspended is None:
        status = 403
    matrix.expect(stage.suspended_owner, method, stage.suspended, status)
    if method not in SAFE:
        matrix.expect(stage.visitor, method, stage.alice, 403)


@pytest.mark.parametrize("row", OPERATOR_ROWS, ids=by_route)
def test_only_operators_reach_the_operator_console(stage: Stage, row: Row) -> None:
    matrix = Matrix(stage, row)
    for method in METHODS:
        declared = "GET" if method == "HEAD" else method
        expect = row.methods.get(declared)
        matrix.expect(stage.anonymous, method, stage.alice, 302)
        for browser in [*stage.members, stage.stranger, stage.suspended_owner]:
            matrix.expect(browser, method, stage.alice, 404)
            matrix.same(browser, method, foreign=stage.alice, missing=Nowhere())
        for browser in stage.operators:
            if expect is None:
                matrix.expect(browser, method, stage.alice, 405)
                continue
            status = expect.status if browser.role in expect.who else expect.refused
            matrix.expect(browser, method, stage.alice, status)
    assert matrix.wrong == []


@pytest.mark.parametrize("row", PUBLIC_ROWS, ids=by_route)
def test_public_addresses_show_no_tenant(stage: Stage, row: Row) -> None:
    matrix = Matrix(stage, row)
    for method, expect in row.methods.items():
        answer = matrix.ask(stage.anonymous, method, stage.alice)
        assert answer.status == expect.status
        for world in (stage.alice, stage.bob):
            assert world.canary.encode() not in answer.body
    assert matrix.wrong == []
