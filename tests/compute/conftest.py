"""The fake scheduler in place of the real adapters, for every test of compute."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from compute import tasks
from tests.factories.compute import ENGINES, NOW, Tenant, make_catalogue, make_tenant
from tests.factories.fake_engine import WORLDS


@pytest.fixture(autouse=True)
def fake_engines(settings: Settings) -> Iterator[None]:
    settings.COMPUTE_ENGINES = ENGINES
    WORLDS.clear()
    yield
    WORLDS.clear()


@pytest.fixture
def catalogue(db: None) -> None:
    make_catalogue()


@pytest.fixture
def alice(catalogue: None) -> Tenant:
    return make_tenant("alice")


@pytest.fixture
def bob(catalogue: None) -> Tenant:
    return make_tenant("bob")


class Clock:
    """The edges' clock, put forward by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> object:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    hand = Clock()
    monkeypatch.setattr(tasks, "utc_now", hand)
    return hand
