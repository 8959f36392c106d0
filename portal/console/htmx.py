"""One view answers a browser with a page and htmx with a fragment of the same template."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from common.errors import DomainError


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asked for a piece of the page rather than a browser for the whole of it.

    A history restore asks with htmx's header too, but needs the whole page.
    """
    headers = request.headers
    return headers.get("HX-Request") == "true" and (
        headers.get("HX-History-Restore-Request") != "true"
        and headers.get("HX-Request-Type") != "full"
    )


def render_fragment(
    request: HttpRequest,
    template: str,
    context: Mapping[str, object],
    refusal: DomainError | None = None,
) -> HttpResponse:
    """Answer with one partial, ``console/<area>/<page>.html#<partial>``.

    A refusal is the same fragment with the refusal's status, so that htmx swaps it where the
    answer would have gone; templates find it as ``refusal``.
    """
    return _answer(request, template, context, refusal)


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, object],
    *,
    partial: str = "",
    refusal: DomainError | None = None,
) -> HttpResponse:
    """Answer with the whole page, or with its named partial where htmx asked for one."""
    name = f"{template}#{partial}" if partial and wants_fragment(request) else template
    return _answer(request, name, context, refusal)


def _answer(
    request: HttpRequest,
    template: str,
    context: Mapping[str, object],
    refusal: DomainError | None,
) -> HttpResponse:
    status = refusal.status if refusal is not None else 200
    response = render(request, template, {**context, "refusal": refusal}, status=status)
    # Without it a cache, the browser's own included, shows a bare fragment as a page.
    patch_vary_headers(response, ["HX-Request"])
    return response
