"""What this app counts: the tokens of model calls, and what other kinds of call make."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from billing.focus import services
from billing.focus.services import FocusMeter
from billing.meters import Aggregation, Meter, register
from billing.sources import reserve

TOKENS_IN: Final = "appliances.tokens_in"
TOKENS_OUT: Final = "appliances.tokens_out"
# Of the tokens in, those that were found in the model's cache: reported here and not there.
TOKENS_CACHED: Final = "appliances.tokens_cached"
IMAGES: Final = "appliances.images"
AUDIO_SECONDS: Final = "appliances.audio_seconds"
REQUESTS: Final = "appliances.requests"
DIMENSIONS: Final = ("model", "deployment", "key")
SKU_METERS: Final = {
    TOKENS_IN: "Tokens in",
    TOKENS_OUT: "Tokens out",
    TOKENS_CACHED: "Tokens in, cached",
}
# A person reads millions of tokens more easily; the ledger keeps single ones.
TOKENS_SHOWN: Final = 1_000_000


def declare() -> None:
    """Register the meters; called once when the app is ready."""
    reserve("gateway")
    for code, title in (
        (TOKENS_IN, _("Tokens in")),
        (TOKENS_OUT, _("Tokens out")),
        (TOKENS_CACHED, _("Tokens in, cached")),
    ):
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
        _declare_for_focus(code, SKU_METERS[code], "Tokens")
    for code, base_unit, title, unit, divisor, aggregation in (
        (IMAGES, "image", _("Images"), _("image"), 1, Aggregation.SUM),
        (AUDIO_SECONDS, "second", _("Audio"), _("hour of audio"), 3600, Aggregation.SUM),
        (REQUESTS, "request", _("Requests"), _("thousand requests"), 1000, Aggregation.COUNT),
    ):
        register(
            Meter(
                code=code,
                base_unit=base_unit,
                title=title,
                dimensions=DIMENSIONS,
                display_unit=unit,
                display_divisor=divisor,
                line_dimensions=("model",),
                aggregation=aggregation,
            )
        )
    _declare_for_focus(IMAGES, "Images", "Images")
    _declare_for_focus(AUDIO_SECONDS, "Hours of audio", "Hours", "Seconds", divisor=3600)
    _declare_for_focus(REQUESTS, "Requests", "Requests")


def _declare_for_focus(
    code: str, sku_meter: str, unit: str, base_unit: str = "", divisor: int = 1
) -> None:
    """How the meter of a model call is written in cost exports."""
    services.declare(
        FocusMeter(
            meter=code,
            service="Model calls",
            category="AI and Machine Learning",
            subcategory="Generative AI",
            sku_meter=sku_meter,
            unit=unit,
            base_unit=base_unit or unit,
            divisor=divisor,
        )
    )
