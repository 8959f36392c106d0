"""Files to keep of an invoice: in which language, and how a browser is given them."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language


def language_of(request: HttpRequest) -> str:
    """The language a document is asked for in; the reader's own where none is named."""
    asked = request.GET.get("language", "")
    return asked if asked in {"en", "zh-hans"} else get_language() or "en"


def attachment(body: bytes, kind: str, name: str) -> HttpResponse:
    """A file under its own name, saved rather than shown."""
    response = HttpResponse(body, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
