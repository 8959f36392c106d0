"""Why usage was refused, as sentences: the codes are billing's, the words are for people."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: Mapping[str, str | Promise] = {
    "not_an_event": _("This is not a JSON object."),
    "bad_specversion": _('The specversion must be "1.0".'),
    "unknown_field": _("It has a member that does not exist."),
    "bad_data": _("The data must be a JSON object with a quantity."),
    "bad_source": _("The source must be 1 to 100 printable characters."),
    "reserved_source": _("This source is the product's own."),
    "bad_id": _("The id must be 1 to 200 printable characters."),
    "bad_subject": _("The subject must be at most 200 printable characters."),
    "bad_quantity": _("The quantity must be a whole number from 0 to 1000000000000000."),
    "wrong_unit": _("The unit is not the meter's base unit."),
    "bad_time": _("The time must be RFC 3339 with its offset."),
    "too_old": _("It is older than the meter takes."),
    "in_future": _("The time lies in the future."),
    "unknown_meter": _("There is no such meter."),
    "bad_dimensions": _("The dimensions must be the meter's, all of them and no others."),
    "unknown_project": _("There is no such project."),
    "unknown_price": _("There is no such price."),
    "other_content": _("An event with this id was counted with other content."),
    "not_json": _("This line is not JSON."),
    "line_too_long": _("A line may have at most 65536 bytes."),
    "body_too_large": _("The stream is too long; send the lines that have no result again."),
    "time_limit": _("The stream took too long; send the lines that have no result again."),
    "not_a_correction": _("This is not a JSON object."),
    "bad_kind": _('The kind must be "correct" or "void".'),
    "bad_reason": _("The reason must be 1 to 500 printable characters."),
    "unknown_event": _("There is no such event."),
    "already_void": _("The event was voided before."),
}
