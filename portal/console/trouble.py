"""The pages shown when something is wrong, in the reader's language and with the request's id.

They read neither session nor database, because either may be what is wrong.
"""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import get_language, override
from django.utils.translation import gettext_lazy as _

from portal.console.preferences import theme_of
from tenants.audit import request_id


@dataclass(frozen=True)
class Trouble:
    """What one status says: what happened, and what the reader may do."""

    status: int
    title: str | Promise
    text: str | Promise


TROUBLES = {
    400: Trouble(
        400,
        _("This request could not be read"),
        _("Part of it is malformed. Go back, check the input and send it again."),
    ),
    403: Trouble(
        403,
        _("This is not open to you"),
        _(
            "Your role does not allow it, or the form was open for too long. Reload the page "
            "it came from; if it stays closed, ask an owner of your organisation."
        ),
    ),
    404: Trouble(
        404,
        _("There is nothing here"),
        _("The address is wrong, the thing is gone, or it belongs to someone else."),
    ),
    429: Trouble(
        429,
        _("Too many requests"),
        _("Wait a minute and try again."),
    ),
    500: Trouble(
        500,
        _("Something failed on our side"),
        _(
            "Nothing you sent was half done. It is recorded under the number below; try "
            "again, and tell us that number if it stays."
        ),
    ),
    503: Trouble(
        503,
        _("The portal cannot answer right now"),
        _(
            "Reservations, running models and their metering go on without it. Try again in a "
            "minute."
        ),
    ),
}


def trouble(request: HttpRequest, status: int) -> HttpResponse:
    """The page of one status, said in the reader's language and below in the other one."""
    told = TROUBLES[status]
    other = "en" if (get_language() or "").startswith("zh") else "zh-hans"
    with override(other):
        other_title, other_text = str(told.title), str(told.text)
    page = render_to_string(
        "trouble.html",
        {
            "trouble": told,
            "theme": theme_of(request),
            "language": "en" if other != "en" else "zh-Hans",
            "other_language": "en" if other == "en" else "zh-Hans",
            "other_title": other_title,
            "other_text": other_text,
            "request_id": request_id.get() or request.headers.get("X-Request-ID", "")[:64],
        },
    )
    response = HttpResponse(page, status=status)
    if status == 503:
        response["Retry-After"] = "60"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return trouble(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return trouble(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return trouble(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return trouble(request, 500)


def csrf_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    return trouble(request, 403)
