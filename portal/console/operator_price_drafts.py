"""One version of the price book: what it changed, and while it is a draft, editing it."""

from typing import Protocol
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.adapters.price_csv import price_csv, read_price_csv
from billing.commands import price_drafts as drafts
from billing.pricing import MODELS, Tier
from billing.queries.desk import changes, price_list
from billing.queries.price_lines import lines_of
from billing.queries.price_review import (
    affected_contracts,
    price_version_of,
    publishing_faults,
    version_before,
)
from common.clock import utc_now
from common.errors import DomainError, InvalidInput, NotFound
from portal.console.forms import add_refusal
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.console.operator_price_forms import (
    ImportForm,
    NoteForm,
    PriceForm,
    TierFormSet,
    VersionForm,
    price_line,
    tiers_in,
)
from portal.console.price_search import sought
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission

VERSION = "console/operator/price_version.html"
PRICE = "console/operator/price_edit.html"
CSV = "text/csv; charset=utf-8"


class Version(Protocol):
    """What the page of a price needs of its version; the portal does not know the model."""

    pk: UUID
    title: str
    currency: str


@require_safe
@allowed(Permission.PRICE_READ)
def price_version(request: ActorRequest, version_id: UUID) -> HttpResponse:
    """One version with its prices and what it changes against the one before."""
    return version_page(request, version_id)


def version_page(
    request: ActorRequest, version_id: UUID, refusal: DomainError | None = None, **sent: object
) -> HttpResponse:
    """The page; ``sent`` are forms that were refused, under their names in the template."""
    now = utc_now()
    version = price_version_of(version_id)
    prices = price_list(version_id)
    earlier = version_before(version)
    difference = changes(price_list(earlier.pk), prices) if earlier is not None else ()
    may_publish = Permission.PRICE_PUBLISH in request.actor.permissions
    is_open = version.state != "published"
    context = {
        "version": version,
        "currency": version.currency,
        "prices": sought(prices, request.GET.get("search", "")),
        "changes": difference,
        "is_first": earlier is None,
        "before": earlier,
        "is_open": is_open,
        "may_edit": may_publish and version.state == "draft",
        "may_decide": may_publish and version.state == "submitted",
        "is_author": request.actor.id in version.authors,
        "faults": publishing_faults(version, now) if is_open else (),
        "affected": affected_contracts(difference, version.effective_at, version.currency)
        if is_open
        else (),
        "now": now,
        "form": VersionForm(initial={"title": version.title, "effective_at": version.effective_at}),
        "import_form": ImportForm(),
        "note_form": NoteForm(),
        "crumbs": [Crumb(_("Price book"), reverse("ops:price-book"))],
        **sent,
    }
    return render_page(request, VERSION, context, refusal=refusal)


@require_POST
@allowed(Permission.PRICE_PUBLISH)
def price_describe(request: ActorRequest, version_id: UUID) -> HttpResponse:
    """Say when a draft begins and what it is called."""
    form = VersionForm(request.POST)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return version_page(request, version_id, refusal, form=form)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        drafts.describe_draft(
            actor=request.actor, version_id=version_id, now=utc_now(), **form.cleaned_data
        )
        return _address(version_id)

    return answer(request, effect, shown=shown, done=_("The draft is saved."))


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.PRICE_PUBLISH)
def price_edit(request: ActorRequest, version_id: UUID) -> HttpResponse:
    """One price of a draft, with its tiers; without a SKU a new one."""
    version = price_version_of(version_id)
    sku = request.GET.get("sku", "")
    line = next((one for one in lines_of(version.pk) if one.sku == sku), None)
    if sku and line is None:
        raise NotFound
    if request.method != "POST":
        stored = {name: getattr(line, name) for name in PriceForm.base_fields} if line else {}
        if line is not None:
            stored["unit_price"] = f"{line.unit_price.normalize():f}"
        rows = [vars(tier) for tier in line.tiers] if line else []
        form = PriceForm(initial=stored)
        return _price_page(request, version, sku, form, TierFormSet(initial=rows, prefix="tier"))
    form = PriceForm(request.POST)
    formset = TierFormSet(request.POST, prefix="tier")

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return _price_page(request, version, sku, form, formset, refusal)

    if not form.is_valid() or not formset.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        tiers: tuple[Tier, ...] = tiers_in(formset)
        drafts.set_price(
            actor=request.actor, version_id=version_id, line=price_line(form, tiers), was=sku
        )
        return _address(version_id)

    return answer(request, effect, shown=shown, done=_("The price is saved."))


def _price_page(
    request: ActorRequest,
    version: Version,
    sku: str,
    form: PriceForm,
    formset: object,
    refusal: DomainError | None = None,
) -> HttpResponse:
    context = {
        "version_id": version.pk,
        "currency": version.currency,
        "sku": sku,
        "form": form,
        "tiers": formset,
        "tiered": [name for name, model in MODELS.items() if model.has_tiers],
        "crumbs": [
            Crumb(_("Price book"), reverse("ops:price-book")),
            Crumb(version.title or _("Price list"), _address(version.pk)),
        ],
    }
    return render_page(request, PRICE, context, refusal=refusal)


@require_POST
@allowed(Permission.PRICE_PUBLISH)
def price_remove(request: ActorRequest, version_id: UUID) -> HttpResponse:
    """Take one price out of a draft."""

    def effect() -> str:
        drafts.remove_price(
            actor=request.actor, version_id=version_id, sku=request.POST.get("sku", "")
        )
        return _address(version_id)

    return answer(
        request,
        effect,
        shown=lambda refusal: version_page(request, version_id, refusal),
        done=_("The price is removed."),
    )


@require_safe
@allowed(Permission.PRICE_READ)
def price_export(request: ActorRequest, version_id: UUID) -> HttpResponse:
    """A version as a file for a spreadsheet."""
    version = price_version_of(version_id)
    name = f"prices-{version.currency}-{version.effective_at:%Y%m%d%H}.csv"
    return HttpResponse(
        price_csv(lines_of(version.pk)),
        content_type=CSV,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_POST
@allowed(Permission.PRICE_PUBLISH)
def price_import(request: ActorRequest, version_id: UUID) -> HttpResponse:
    """Put the prices of a file in the place of a draft's."""
    form = ImportForm(request.POST, request.FILES)

    def shown(refusal: DomainError) -> HttpResponse:
        return version_page(request, version_id, refusal, import_form=form)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        drafts.replace_prices(
            actor=request.actor,
            version_id=version_id,
            lines=read_price_csv(form.cleaned_data["file"].read()),
        )
        return _address(version_id)

    return answer(request, effect, shown=shown, done=_("The file's prices are in the draft."))


@require_POST
@allowed(Permission.PRICE_PUBLISH)
def price_step(request: ActorRequest, version_id: UUID, step: str) -> HttpResponse:
    """Move a version on: submit, publish, return or discard."""
    form = NoteForm(request.POST if step == "return" else None)

    def shown(refusal: DomainError) -> HttpResponse:
        return version_page(request, version_id, refusal, note_form=form)

    if step == "return" and not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        actor, now = request.actor, utc_now()
        if step == "submit":
            drafts.submit_draft(actor=actor, version_id=version_id, now=now)
        elif step == "publish":
            drafts.publish_draft(actor=actor, version_id=version_id, now=now)
        elif step == "return":
            note = form.cleaned_data["note"]
            drafts.return_draft(actor=actor, version_id=version_id, note=note)
        elif step == "discard":
            drafts.discard_draft(actor=actor, version_id=version_id)
            return reverse("ops:price-book")
        else:
            raise NotFound
        return _address(version_id)

    done = {
        "submit": _("The list waits for somebody else to publish it."),
        "publish": _("The price list is published."),
        "return": _("The list is a draft again."),
        "discard": _("The draft is thrown away."),
    }
    return answer(request, effect, shown=shown, done=done.get(step, ""))


def _address(version_id: UUID) -> str:
    return reverse("ops:price-version", args=[version_id])
