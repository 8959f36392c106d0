"""What every billing test starts from."""

import pytest

from billing.models import PriceVersion
from tenants.models import Organisation
from tests.factories import billing as make


@pytest.fixture
def alice(db: None) -> Organisation:
    return make.make_tenant("alice")


@pytest.fixture
def bob(db: None) -> Organisation:
    return make.make_tenant("bob")


@pytest.fixture
def prices(db: None) -> PriceVersion:
    return make.make_prices()
