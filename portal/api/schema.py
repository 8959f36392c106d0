"""The OpenAPI document, made from each resource's operations and the refusals they share."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from billing.commands.ingest import MOST_EVENTS
from portal.api.endpoint import Operation, Repeats
from portal.api.idempotency import HEADER
from portal.api.parsing import PartsParser
from portal.api.problems import MEDIA_TYPE

# An OpenAPI document is nested JSON; drf-spectacular gives it as plain dictionaries.
Document = dict[str, Any]

PROBLEM: Document = {
    "type": "object",
    "description": "A refusal, after RFC 9457.",
    "required": [
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "errors",
        "request_id",
        "retryable",
    ],
    "properties": {
        "type": {"type": "string", "description": "Where this kind of refusal is described."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence in the asked language."},
        "instance": {"type": "string", "description": "This one occurrence."},
        "code": {"type": "string", "description": "Stable; what a program decides by."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the input."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "request_id": {"type": "string"},
        "retryable": {"type": "boolean"},
        "reason": {"type": "string", "description": 'With 402 in arrears: "arrears".'},
        "state": {"type": "string", "description": "With 402 in arrears: the standing's state."},
        "deadline": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "With 402 in arrears: when the next harder step is taken.",
        },
        "amount_needed": {
            "type": "string",
            "description": "With 402 in arrears: what has to be paid in.",
        },
        "currency": {"type": "string", "description": "With 402 in arrears."},
        "resolution": {"type": "string", "description": "With 402 in arrears: what to do."},
    },
}

REFUSALS = {
    "400": _("The request could not be read, or a POST has no Idempotency-Key."),
    "401": _("No key, or one that is not in force."),
    "402": _("There are not enough funds, or the account is in arrears."),
    "403": _("The key does not hold the needed scope."),
    "404": _("Missing, or someone else's: the two are one answer."),
    "406": _("The answer is of a type that the request does not accept."),
    "409": _("The state of things does not allow this now."),
    "413": _("The body is too large."),
    "415": _("The body is of a type that is not taken here."),
    "422": _("Some of the input is not valid, or the Idempotency-Key named another request."),
    "429": _("Too many requests with this key; wait as Retry-After says."),
    "500": _("Something failed on our side; nothing was half done."),
    "503": _("The portal cannot answer right now; try again."),
}
_ALWAYS = ("400", "401", "403", "406", "422", "429", "500", "503")
_WITH_A_BODY = ("402", "404", "409", "413", "415")


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # no types there
    """How a program signs in, for the document."""

    target_class = "portal.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> Document:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "acp_<32 characters>_<6 of checksum>",
            "description": "A key of the tenant, made in the console or with this API.",
        }


class ApiSchema(AutoSchema):
    """Reads a resource's decorators instead of guessing from serializers."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Document | None:
        document: Document | None = super().get_operation(*args, **kwargs)
        if document is None:
            return None
        operation = self._operation()
        statuses = set(_ALWAYS)
        if operation.body is not None:
            statuses.update(_WITH_A_BODY)
        if "{" in self.path or self.method == "DELETE":
            statuses.update({"404", "409"})
        if operation.may_be_missing:
            statuses.add("404")
        if operation.query is not None and "project" in operation.query().fields:
            # Who asks about one project may have named one that is not there.
            statuses.add("404")
        for status in sorted(statuses):
            document["responses"][status] = {"$ref": f"#/components/responses/Problem{status}"}
        if operation.repeats is Repeats.BY_KEY_IF_SENT:
            content = document["requestBody"]["content"]
            # What takes parts has such parsers only; DRF's stubs know the base of all.
            parsers: Any = self.view.parser_classes
            document["requestBody"]["content"] = _either(content, parsers)
        if operation.is_stream:
            (line,) = document["requestBody"]["content"].values()
            document["requestBody"]["content"] = {operation.media_types[0]: line}
        document["x-required-scope"] = operation.permission.value
        return document

    def get_operation_id(self) -> str:
        name = type(self.view).__name__
        verb = {"POST": "make", "PUT": "replace", "DELETE": "end"}
        reading = "list" if self._is_page() else "get"
        return f"{verb.get(self.method, reading)}{name}"

    # drf-spectacular asks it without arguments; the stubs know DRF's own only.
    def get_description(self) -> str:  # type: ignore[override]
        paragraphs = getattr(self.view, self.method.lower()).paragraphs
        return "\n\n".join(str(one) for one in paragraphs)

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_request_serializer(self) -> Any:
        return self._operation().body

    def get_response_serializers(self) -> Any:
        operation = self._operation()
        if operation.is_stream:
            return {(operation.status, operation.media_types[0]): operation.answer}
        if operation.media_types:
            return {(operation.status, kind): OpenApiTypes.BINARY for kind in operation.media_types}
        return {operation.status: operation.answer}

    def get_override_parameters(self) -> list[Any]:
        operation = self._operation()
        found: list[Any] = [operation.query] if operation.query is not None else []
        if operation.is_idempotent:
            found.append(
                OpenApiParameter(
                    HEADER,
                    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
                    OpenApiParameter.HEADER,
                    required=operation.repeats is Repeats.BY_KEY,
                    description=_("The same key gives the same answer, however often it is sent."),
                )
            )
        return found

    def _operation(self) -> Operation:
        operation: Operation = getattr(self.view, self.method.lower()).operation
        return operation

    def _is_page(self) -> bool:
        answer = self._operation().answer
        return answer is not None and answer.__name__.endswith("Page")


def _either(content: Document, parsers: Sequence[type[PartsParser]]) -> Document:
    """One thing or a batch: plain JSON takes either, the CloudEvents types say which."""
    one: Document = next(iter(content.values()))["schema"]
    many = {"type": "array", "items": one, "maxItems": MOST_EVENTS}
    schemas: dict[tuple[bool, bool], Document] = {
        (True, True): {"oneOf": [one, many]},
        (True, False): one,
        (False, True): many,
    }
    return {
        parser.media_type: {"schema": schemas[parser.takes_one, parser.takes_many]}
        for parser in parsers
    }


def share_refusals(result: Document, generator: SchemaGenerator, **kwargs: Any) -> Document:
    """drf-spectacular's last step: the problem document and one response for each refusal."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["responses"] = {
        f"Problem{status}": {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, text in REFUSALS.items()
    }
    return result


class EnglishGenerator(SchemaGenerator):
    """Makes the document in English, whatever language the process speaks."""

    def get_schema(self, *args: Any, **kwargs: Any) -> Document:
        with override("en"):
            # drf-spectacular leaves its own functions untyped.
            made: Document = super().get_schema(*args, **kwargs)  # type: ignore[no-untyped-call]
        return made


def document(language: str = "en") -> Document:
    """The whole document, its explanations in ``language`` where they are translated."""
    with override(language):
        generator = SchemaGenerator()  # type: ignore[no-untyped-call]
        made: Document = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made
