"""What codes of the domain are called on pages."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise

CATEGORIES: Mapping[str, Text] = {
    "analysis": _("Analysis"),
    "asr": _("Speech recognition"),
    "code": _("Code"),
    "customer-service": _("Customer service"),
    "embedding": _("Embeddings"),
    "general-qa": _("General Q&A"),
    "industry": _("Industry"),
    "ocr": _("Document parsing"),
    "rag": _("Retrieval"),
    "rerank": _("Rerank"),
    "test": _("For trying out"),
    "text-to-image": _("Text to image"),
    "tts": _("Speech synthesis"),
    "vision-language": _("Vision and language"),
    "writing": _("Writing"),
}

ANSWERS: Mapping[str, tuple[Text, str, str]] = {
    "fits": (_("Fits"), "ok", "circle-check"),
    "borderline": (_("Borderline: needs a trial start"), "wait", "alert-triangle"),
    "does_not_fit": (_("Does not fit"), "bad", "ban"),
    "unknown": (_("Not known"), "idle", "help-circle"),
}

DIMENSIONS: Mapping[str, Text] = {
    "": _("Nothing"),
    "project": _("Project"),
    "chip": _("Chip"),
    "pool": _("Pool"),
    "service_class": _("Kind of use"),
    "reservation": _("Reservation"),
    "workload": _("Workload"),
    "model": _("Model"),
    "deployment": _("Deployment"),
    "key": _("API key"),
}

SERVICE_CLASSES: Mapping[str, Text] = {
    "on_demand": _("On demand"),
    "covered": _("Inside a reservation"),
    "committed": _("Reserved"),
}

MOVEMENTS: Mapping[str, Text] = {
    "top_up": _("Top-up"),
    "invoice": _("Invoice"),
    "settlement": _("Payment of an invoice"),
    "adjustment": _("Adjustment"),
    "refund": _("Refund"),
}
