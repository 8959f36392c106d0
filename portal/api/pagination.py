"""Lists in pages: ``limit`` rows at most, and an opaque ``next`` that says where to go on."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from common.paging import PAGE_LIMIT, Page
from portal.api.fields import QueryWhole, Strict, Text

DEFAULT_LIMIT = 50


class PageQuery(Strict):
    """What a list takes in its address; a resource with filters extends it."""

    limit = QueryWhole(
        min_value=1,
        max_value=PAGE_LIMIT,
        default=DEFAULT_LIMIT,
        help_text=_("How many rows at most."),
    )
    cursor = Text(max_length=200, default="", help_text=_("What the page before gave as its next."))


def page_of(answer: type[serializers.BaseSerializer[Any]]) -> type[serializers.BaseSerializer[Any]]:
    """The serializer of a page of ``answer``, named after it in the OpenAPI document."""
    name = answer.__name__.removesuffix("Out") + "Page"
    members = {
        "items": answer(many=True),
        "next": serializers.CharField(
            allow_null=True, source="next_cursor", help_text=_("Empty on the last page.")
        ),
    }
    return type(name, (serializers.Serializer,), members)


__all__ = ["DEFAULT_LIMIT", "Page", "PageQuery", "page_of"]
