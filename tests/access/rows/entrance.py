"""Addresses that belong to nobody: health, documents, sign-in, and the support admin."""

from tests.access.table import EVERY_OPERATOR, Expect, Row, routes

GET = {"GET": Expect()}

# allauth's own pages show and change only the signed-in person's account; its suite tests them.
_ACCOUNTS = [
    Row(route, "account", {}, exempt="allauth's pages of a person's own account")
    for route in routes()
    if route.startswith("accounts/")
]

# Django's admin makes its addresses from the registered models; all are for operators, to look.
_ADMIN = [
    Row(route, "operator", {"GET": Expect(who=EVERY_OPERATOR)}, exempt="see test_support.py")
    for route in routes()
    if route.startswith("ops/admin/")
]

# Sample pages for the people who draw them; no production settings carry them.
_STYLEGUIDE = [
    Row(route, "public", {}, exempt="the style guide shows invented rows and exists in tests only")
    for route in routes()
    if route.startswith("_styleguide/")
]

ROWS = [
    Row("", "public", {"GET": Expect(302)}),
    Row("i18n/setlang", "public", {"POST": Expect(302)}),
    Row("i18n/theme", "public", {"POST": Expect(302)}),
    Row("healthz", "public", GET),
    Row("readyz", "public", GET),
    Row("metrics", "public", GET),
    Row("docs/api/", "public", GET),
    Row("api/v1/openapi.json", "public", GET),
    Row(
        "join/<str:token>/",
        "public",
        {"GET": Expect(404), "POST": Expect(404)},
        names=lambda names: {"token": "0" * 96},
    ),
    *_ACCOUNTS,
    *_ADMIN,
    *_STYLEGUIDE,
]
