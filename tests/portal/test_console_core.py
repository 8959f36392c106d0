"""Smoke."""
import pytest
from tests.factories import console

pytestmark = pytest.mark.django_db


def test_smoke():
    console.centre()
    who = console.furnished()
    c = who.client()
    for p in ["", "reserve/", "reservations/", "catalogue/", "catalogue/qa-standard/", "deploy/small-chat/", "deployments/"]:
        for lang in ("en", "zh-hans"):
            a = c.get(who.path(p), headers={"accept-language": lang})
            print(p, a.status_code, len(a.content))
            assert a.status_code == 200, a.content[:3000]
