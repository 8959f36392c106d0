"""Computing vouchers for a tenant: the city's schemes, applying, and what became of it."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.commands.vouchers import Request, apply_for_voucher
from billing.queries.vouchers import applications, open_schemes
from common.clock import utc_now
from common.errors import DomainError, NotFound
from portal.console.forms import add_refusal, address, checked, kept_idem, perform
from portal.console.htmx import render_page
from portal.console.wording import EVIDENCE
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission, require

TEMPLATE = "console/wallet/apply.html"
PAGE = 50


class ApplicationForm(forms.Form):
    """What every scheme asks; the documents of the chosen scheme are added to it."""

    scheme = forms.ChoiceField(label=gettext_lazy("Scheme"))
    amount = forms.DecimalField(
        label=gettext_lazy("Amount in CNY"), max_digits=14, decimal_places=2
    )
    contract = forms.CharField(
        label=gettext_lazy("Contract number"), max_length=100, required=False
    )
    is_unrelated = forms.BooleanField(
        label=gettext_lazy("We are not related to the centre"), required=False
    )

    # Schemes are rows that this layer knows by their attributes only.
    def __init__(self, schemes: Sequence[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scheme"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - narrows the declared type
        field.choices = [(one.code, _title(one)) for one in schemes]
        self.kinds = sorted({kind for one in schemes for kind in one.evidence})
        for kind in self.kinds:
            self.fields[f"evidence_{kind}"] = forms.CharField(
                label=EVIDENCE.get(kind, kind),
                max_length=300,
                required=False,
                help_text=_("The document's number or address, where the scheme asks for it."),
            )

    @property
    def documents(self) -> list[forms.BoundField]:
        return [self[f"evidence_{kind}"] for kind in self.kinds]


# Any: a scheme, as above.
def _title(scheme: Any) -> str:
    zh = (get_language() or "en").startswith("zh")
    return str(scheme.title_zh if zh else scheme.title_en)


@require_http_methods(["GET", "HEAD", "POST"])
def voucher_apply(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The schemes, the form, and the applications made so far."""
    require(request.actor, Permission.WALLET_READ, request.tenant.pk)
    if request.method != "POST":
        return _page(request)
    require(request.actor, Permission.VOUCHER_APPLY, request.tenant.pk)

    def applied() -> str:
        now = utc_now()
        schemes = open_schemes(actor=request.actor, tenant_id=request.tenant.pk, now=now)
        form = ApplicationForm(schemes, request.POST)
        said = checked(form)
        evidence = {kind: said[f"evidence_{kind}"] for kind in form.kinds}
        apply_for_voucher(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            request=Request(
                scheme=said["scheme"],
                amount=said["amount"],
                contract=said["contract"],
                is_unrelated=said["is_unrelated"],
                evidence={kind: told for kind, told in evidence.items() if told},
            ),
            key=f"console:{request.POST.get('idem', '')}",
            now=now,
        )
        return address(request, "voucher-apply")

    return perform(
        request,
        applied,
        shown=lambda refusal: _page(request, refusal, bound=True),
        done=_("The application is sent."),
    )


def _page(
    request: ActorRequest, refusal: DomainError | None = None, *, bound: bool = False
) -> HttpResponse:
    now, tenant_id = utc_now(), request.tenant.pk
    schemes = open_schemes(actor=request.actor, tenant_id=tenant_id, now=now)
    page = applications(
        actor=request.actor,
        tenant_id=tenant_id,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    may_apply = Permission.VOUCHER_APPLY in request.actor.permissions
    form = None
    if may_apply and schemes:
        form = ApplicationForm(schemes, request.POST if bound else None)
    if form is not None and bound and form.is_valid() and not isinstance(refusal, NotFound):
        names = {f"/evidence/{kind}": f"evidence_{kind}" for kind in form.kinds}
        add_refusal(form, refusal, names)
    context = {
        "schemes": schemes,
        "page": page,
        "form": form,
        "crumbs": [Crumb(_("Wallet"), address(request, "wallet"))],
        "idem": kept_idem(request, refusal),
    }
    return render_page(request, TEMPLATE, context, refusal=refusal)
