"""Notices: said once, never changed, one tenant's only."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, transaction
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from tenants import notices
from tenants.models import Notice
from tenants.notices import Kind, UndeclaredKind
from tenants.scoping import operator_scope, tenant_scope
from tests.tenants.conftest import Cast

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
KIND = Kind(code="tests.posted", title="Number %(number)s", body="It says %(text)s.")


@pytest.fixture(autouse=True)
def kind() -> Iterator[Kind]:
    yield notices.declare(KIND)
    notices._declared.pop(KIND.code, None)


def _post(cast: Cast, key: str = "one", **changes: object) -> bool:
    given = {
        "tenant_id": cast.alice.pk,
        "kind": KIND.code,
        "key": key,
        "detail": {"number": "7", "text": "hello"},
        "now": NOW,
    }
    return notices.post(**{**given, **changes})  # type: ignore[arg-type]


def test_a_notice_is_said_once_however_often_it_is_posted(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        assert _post(cast) is True
        assert _post(cast, detail={"number": "8", "text": "other"}) is False
        (row,) = Notice.objects.all()
    assert (row.kind, row.key, row.at) == ("tests.posted", "one", NOW)
    assert row.detail == {"number": "7", "text": "hello"}
    assert row.roles == ["admin", "finance", "owner"]
    assert row.spread_at is None


def test_a_worker_posts_for_any_tenant_and_the_same_key_is_another_tenants_own(cast: Cast) -> None:
    with operator_scope():
        assert _post(cast) is True
        assert _post(cast, tenant_id=cast.bob.pk) is True
    with tenant_scope(cast.bob.pk):
        assert Notice.objects.count() == 1


def test_the_callers_rollback_takes_the_notice_back(cast: Cast) -> None:
    with operator_scope():
        with transaction.atomic():
            assert _post(cast) is True
            transaction.set_rollback(True)
        assert Notice.objects.count() == 0


def test_an_undeclared_kind_and_a_missing_placeholder_are_refused(cast: Cast) -> None:
    with operator_scope():
        with pytest.raises(UndeclaredKind):
            _post(cast, kind="tests.unheard")
        with pytest.raises(KeyError):
            _post(cast, detail={"number": "7"})
        assert Notice.objects.count() == 0


def test_outside_a_scope_nothing_is_posted(cast: Cast) -> None:
    with (
        pytest.raises(DatabaseError, match="row-level security"),
        transaction.atomic(),
    ):
        _post(cast)
    with operator_scope():
        assert Notice.objects.count() == 0


def test_two_kinds_under_one_code_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="tests.posted"):
        notices.declare(Kind(code=KIND.code, title="Other", body="Other"))


@pytest.mark.parametrize("change", [{"detail": {}}, {"kind": "x"}, {"roles": []}, {"key": "x"}])
def test_the_database_lets_nobody_change_what_was_said(
    cast: Cast, change: dict[str, object]
) -> None:
    with operator_scope():
        _post(cast)
    for scope in (tenant_scope(cast.alice.pk), operator_scope()):
        with scope:
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                Notice.objects.update(**change)
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                Notice.objects.all()._raw_delete("default")
            assert Notice.objects.get().detail == {"number": "7", "text": "hello"}


def test_a_notice_reads_in_the_active_language() -> None:
    notices.declare(Kind(code="tests.translated", title=_("Owner"), body=_("Viewer")))
    try:
        with translation.override("zh-hans"):
            assert notices.title_of("tests.translated", {}) != "Owner"
        with translation.override("en"):
            assert notices.title_of("tests.translated", {}) == "Owner"
            assert notices.title_of(KIND.code, {"number": "7"}) == "Number 7"
            assert notices.title_of("tests.gone", {}) == "tests.gone"
            assert notices.body_of("tests.gone", {}) == ""
    finally:
        notices._declared.pop("tests.translated")
