"""What this app counts: the tokens of model calls."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from billing.focus import services
from billing.focus.services import FocusMeter
from billing.meters import Meter, register
from billing.sources import reserve

TOKENS_IN: Final = "appliances.tokens_in"
TOKENS_OUT: Final = "appliances.tokens_out"
DIMENSIONS: Final = ("model", "deployment", "key")
# A person reads millions of tokens more easily; the ledger keeps single ones.
TOKENS_SHOWN: Final = 1_000_000


def declare() -> None:
    """Register the meters; called once when the app is ready."""
    reserve("gateway")
    for code, title in ((TOKENS_IN, _("Tokens in")), (TOKENS_OUT, _("Tokens out"))):
        register(
            Meter(
                code=code,
                base_unit="token",
                title=title,
                dimensions=DIMENSIONS,
                display_unit=_("million tokens"),
                display_divisor=TOKENS_SHOWN,
                line_dimensions=("model",),
            )
        )
        services.declare(
            FocusMeter(
                meter=code,
                service="Model calls",
                category="AI and Machine Learning",
                subcategory="Generative AI",
                sku_meter="Tokens in" if code == TOKENS_IN else "Tokens out",
                unit="Tokens",
                base_unit="Tokens",
            )
        )
