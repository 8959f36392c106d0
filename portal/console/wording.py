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
    "shared": _("Shared, may be preempted"),
    "urgent": _("Urgent, goes first"),
    "spot": _("Spot"),
}

# A correction is an event of its own, whose quantity is the difference that it makes.
EVENT_KINDS: Mapping[str, tuple[Text, str, str]] = {
    "correct": (_("Corrected"), "info", "edit"),
    "void": (_("Voided"), "wait", "ban"),
}

REVENUE_HEADINGS: Mapping[str, Text] = {
    "tenant": _("Tenant"),
    "sku": _("SKU"),
    "pool": _("Pool"),
    "chip": _("Chip"),
}

PRICE_MODELS: Mapping[str, Text] = {
    "flat": _("Flat"),
    "graduated": _("Graduated: each unit at its tier's price"),
    "volume": _("Volume: the total decides the price of all"),
    "package": _("Package: each started one is paid in full"),
    "spot": _("Spot: quoted hour by hour"),
}

PRICE_PARTS: Mapping[str, Text] = {
    "meter": _("Meter"),
    "match": _("Applies to"),
    "model": _("Price model"),
    "unit_quantity": _("Unit"),
    "tiers": _("Price tiers"),
    "tax_code": _("Tax code"),
}

TERM_KINDS: Mapping[str, Text] = {
    "discount": _("Discount"),
    "price": _("Fixed price"),
    "minimum": _("Minimum spend"),
    "commitment": _("Committed spend"),
}

TERM_INTERVALS: Mapping[str, Text] = {
    "month": _("each month"),
    "term": _("over the whole period"),
}

MOVEMENTS: Mapping[str, Text] = {
    "top_up": _("Top-up"),
    "invoice": _("Invoice"),
    "settlement": _("Payment of an invoice"),
    "credit_note": _("Credit note"),
    "adjustment": _("Adjustment"),
    "refund": _("Refund"),
    "top_up_reversal": _("Top-up taken back"),
    "pay_out": _("Paid back"),
    "write_off": _("Debt written off"),
    "write_off_recovery": _("Written-off debt recovered"),
    "credit": _("Paid by a credit"),
    "credit_restored": _("Given back to a credit"),
    "credit_lapsed": _("A credit lapsed"),
    "voucher_granted": _("Voucher granted"),
    "package_sold": _("Package bought"),
    "package_used": _("Package used"),
    "settlement_paid": _("Paid by the city"),
    "settlement_returned": _("Claim lowered by the city"),
    "shortfall_paid": _("Payment of what was owed"),
    "settlement_clawed_back": _("Taken back by the city"),
}

CREDIT_KINDS: Mapping[str, Text] = {
    "package": _("Resource package"),
    "voucher": _("Computing voucher"),
    "promo": _("Promotional credit"),
}

CREDIT_SCOPES: Mapping[str, Text] = {
    "any": _("Everything"),
    "service": _("Some services"),
    "meter": _("Some meters"),
    "sku": _("Some SKUs"),
}

EVIDENCE: Mapping[str, Text] = {
    "contract": _("Contract"),
    "invoice": _("Invoice of the centre"),
    "delivery": _("Proof of delivery"),
    "registration": _("Business registration"),
}

SERVICES: Mapping[str, Text] = {
    "compute": _("Compute"),
    "models": _("Models"),
    "storage": _("Storage"),
    "network": _("Network"),
    "security": _("Security"),
    "marketplace": _("Marketplace"),
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
    "no row refers to another tenant's row": _("No row refers to another tenant's row"),
    "a reference to a tenant's row carries the tenant": _(
        "A reference to a tenant's row carries the tenant"
    ),
    "every tenant's table is behind its walls": _("Every tenant's table is behind its walls"),
    "each event has one key and each key one event": _(
        "Each usage event has one key and each key one event"
    ),
    "each event counts once in its bucket": _("Each usage event counts once in its hour"),
    "each event is in a series and a period of its own tenant": _(
        "Each usage event is in a series and a billing period of its own tenant"
    ),
    "each ledger transaction sums to zero": _("Each ledger transaction sums to zero"),
    "each balance is the sum of its entries": _("Each balance is the sum of its entries"),
    "an account shows its ledger's wallet and receivable": _(
        "An account shows its ledger's wallet and receivable"
    ),
    "what two people decided about money is what the ledger booked": _(
        "What two people decided about money is what the ledger booked"
    ),
    "lost debts are what was written off and not recovered": _(
        "Lost debts are what was written off and not recovered"
    ),
    "no more leaves a top-up or a debt than there was of it": _(
        "No more leaves a top-up or a debt than there was of it"
    ),
    "an account owes what is open of its invoices and of claims": _(
        "An account owes what is open of its invoices and of claims"
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
    "no fapiao stands for more than is there": _("No fapiao stands for more than is there"),
    "a fapiao is the sum of its lines and of what it covers": _(
        "A fapiao is the sum of its lines and of what it covers"
    ),
    "red letters take back no more than their original": _(
        "Red letters take back no more than their original"
    ),
    "a credit note is the sum of its lines, and no line is credited beyond itself": _(
        "A credit note is the sum of its lines, and no line is credited beyond itself"
    ),
    "a credit note's money is in the ledger": _("A credit note's money is in the ledger"),
    "credit note numbers have no gaps and form one chain": _(
        "Credit note numbers have no gaps and form one chain"
    ),
    "a run's issued item has the tenant's invoice up to the run's end": _(
        "A run's issued item has the tenant's invoice up to the run's end"
    ),
    "an adjustment's line says what was agreed to": _(
        "An adjustment's line says what was agreed to"
    ),
    "an invoice is settled by what was paid and what was credited, once": _(
        "An invoice is settled by what was paid and what was credited, once"
    ),
    "a charge is the sum of its buckets and of its lines": _(
        "A charge is the sum of its hours and of its lines"
    ),
    "a closed period's buckets are charged once each": _(
        "What was used in a closed billing period is charged once"
    ),
    "a scheme's caps count what is redeemed and what is pending": _(
        "A voucher scheme's caps count what is redeemed and what is pending"
    ),
    "a settlement batch is the sum of its rows": _("A settlement batch is the sum of its rows"),
    "a standing is where its history leads": _("An account's standing is where its history leads"),
    "a tax rate that was proposed was approved by somebody else": _(
        "A tax rate that was proposed was approved by somebody else"
    ),
    "agreed terms hold while their contract does": _("Agreed terms hold while their contract does"),
    "an invoice's due date follows its issue by the agreed days": _(
        "An invoice's due date follows its issue by the agreed days"
    ),
    "billing periods follow one another": _("Billing periods follow one another without gaps"),
    "credits pay no more of a line than it costs": _("Credits pay no more of a line than it costs"),
    "deferred revenue is what packages have still to earn": _(
        "Deferred revenue is what packages have still to earn"
    ),
    "each move of a standing begins where the one before ended": _(
        "Each change of an account's standing begins where the one before ended"
    ),
    "nobody in arrears is without a debt at the last assessment": _(
        "Nobody is in arrears without a debt"
    ),
    "the liability of vouchers is what is left of them": _(
        "The liability of vouchers is what is left of them"
    ),
    "the uses of a credit are what the ledger booked for it": _(
        "The uses of a credit are what the ledger booked for it"
    ),
    "two agreed terms never hold for one thing at once": _(
        "Two agreed terms never hold for one thing at once"
    ),
    "what remains of a credit is its face less its uses": _(
        "What remains of a credit is its face less its uses"
    ),
    "every invoice says when it is due": _("Every invoice says when it is due"),
    "who wrote a contract did not activate it": _("Who wrote a contract did not activate it"),
    "each threshold that is reached was told": _("Each threshold that is reached was told"),
    "what was told of a budget is a notice": _("What was told of a budget is a notice"),
    "an unusual day is a notice": _("An unusual day is a notice"),
    "who changed a price list did not publish it": _("Who changed a price list did not publish it"),
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

AREAS: Mapping[str, Text] = {
    "billing": _("Money"),
    "compute": _("Capacity"),
    "tenants": _("Isolation"),
}

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

BUDGET_SCOPES: Mapping[str, Text] = {
    "tenant": _("Whole organisation"),
    "project": _("Project"),
    "key": _("API key"),
    "deployment": _("Deployment"),
}

# Every set of codes a page may name by its word.
WORDS: Mapping[str, Mapping[str, Text]] = {
    "actor": ACTORS,
    "area": AREAS,
    "budget": BUDGET_SCOPES,
    "capacity": CAPACITY_REASONS,
    "category": CATEGORIES,
    "rule": RULES,
}


FAPIAO_KINDS: Mapping[str, Text] = {
    "digital_special": _("Special VAT fapiao"),
    "digital_ordinary": _("Ordinary fapiao"),
}

ODDITIES: Mapping[str, Text] = {
    "unpriced": _("Usage without a price"),
    "negative": _("Below zero"),
    "first": _("First invoice"),
    "much_more": _("More than twice the last"),
    "much_less": _("Less than half the last"),
}
