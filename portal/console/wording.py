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
    "storage_class": _("Storage class"),
    "volume": _("Volume"),
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

# What must always hold, under the names the checks have.
RULES: Mapping[str, Text] = {
    "no unit is taken beyond capacity": _("No card is taken beyond a pool's capacity"),
    "a profile covers all of time once": _("A pool's calendar covers all of time once"),
    "segments hold exactly the sum of the claims": _(
        "A calendar's numbers are the sum of what was taken"
    ),
    "a reservation's profile has the cards of its claim": _(
        "A reservation's own calendar has the cards it took"
    ),
    "a live reservation holds its cards for its whole period": _(
        "A live reservation holds its cards for its whole period"
    ),
    "a reservation that came to nothing holds no cards": _(
        "A reservation that came to nothing holds no cards"
    ),
    "a live workload holds its cards until its time": _("Live work holds its cards until its time"),
    "a workload in a reservation takes the reservation's cards": _(
        "Work in a reservation takes the reservation's cards"
    ),
    "every claim belongs to something": _("Whatever is taken belongs to something"),
    "nothing is charged past what an engine vouches for": _(
        "Nothing is charged past what a scheduler vouches for"
    ),
    "no reservation is charged outside its activation": _(
        "No reservation is charged outside its activation"
    ),
    "each event has one key and each key one event": _(
        "Each usage event has one key and each key one event"
    ),
    "each event counts once in its bucket": _("Each usage event counts once in its hour"),
    "a bucket's billed quantity is the sum of its allocations": _(
        "An hour's billed quantity is the sum of its parts"
    ),
    "a line's quantity is the sum of its allocations": _(
        "An invoice line's quantity is the sum of its parts"
    ),
    "each ledger transaction sums to zero": _("Each ledger transaction sums to zero"),
    "each balance is the sum of its entries": _("Each balance is the sum of its entries"),
    "an account shows its ledger's wallet and receivable": _(
        "An account shows its ledger's wallet and receivable"
    ),
    "what is held is the sum of active holds": _("What is held is the sum of active holds"),
    "an invoice is the sum of its lines": _("An invoice is the sum of its lines"),
    "an invoice is owed once and paid at most once": _(
        "An invoice is owed once and paid at most once"
    ),
    "invoice numbers have no gaps and form one chain": _(
        "Invoice numbers have no gaps and form one chain"
    ),
    "a tenant's invoice periods touch and do not overlap": _(
        "A tenant's invoice periods touch and do not overlap"
    ),
    "each correction is an event about another event": _(
        "Each correction is an event about another event"
    ),
    "an event and its corrections come to what the last one said": _(
        "An event and its corrections come to what the last one said"
    ),
    "the hours of max meters are what their events come to": _(
        "The hours of meters of the largest value are what their events come to"
    ),
    "the hours of latest meters are what their events come to": _(
        "The hours of meters of the last value are what their events come to"
    ),
    "the hours of unique meters are what their events come to": _(
        "The hours of meters of distinct values are what their events come to"
    ),
    "the hours of time_weighted meters are what their events come to": _(
        "The hours of meters of levels over time are what their events come to"
    ),
}

AREAS: Mapping[str, Text] = {"billing": _("Money"), "compute": _("Capacity")}

ACTORS: Mapping[str, Text] = {
    "member": _("Member"),
    "api_key": _("API key"),
    "operator": _("Operator"),
    "system": _("The product itself"),
}

# Why a pool has the cards it has, where nobody wrote a reason.
CAPACITY_REASONS: Mapping[str, Text] = {
    "created": _("The pool was made"),
    "imported": _("A list of nodes was imported"),
}

# Every set of codes a page may name by its word.
WORDS: Mapping[str, Mapping[str, Text]] = {
    "actor": ACTORS,
    "area": AREAS,
    "capacity": CAPACITY_REASONS,
    "category": CATEGORIES,
    "rule": RULES,
}
