"""The catalogue: appliances, how each runs on each chip, and whether it may be sold."""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class Resale(models.TextChoices):
    """What the licence says about selling the model's use; silence is not permission."""

    ALLOWED = "allowed", _("Resale allowed")
    REFUSED = "refused", _("Resale not allowed")
    UNKNOWN = "unknown", _("Licence not checked")


class ListingState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SUBMITTED = "submitted", _("Submitted")
    CERTIFIED = "certified", _("Certified")
    LISTED = "listed", _("Listed")
    DELISTED = "delisted", _("Delisted")


LISTING_MOVES: Mapping[ListingState, frozenset[ListingState]] = {
    ListingState.DRAFT: frozenset({ListingState.SUBMITTED}),
    ListingState.SUBMITTED: frozenset({ListingState.CERTIFIED, ListingState.DRAFT}),
    ListingState.CERTIFIED: frozenset({ListingState.LISTED, ListingState.DRAFT}),
    ListingState.LISTED: frozenset({ListingState.DELISTED}),
    ListingState.DELISTED: frozenset({ListingState.SUBMITTED}),
}


class Confidence(models.TextChoices):
    """How a number is known; every number shown to a customer carries one of these."""

    MEASURED = "measured", _("Measured")
    DOCUMENTED = "documented", _("Documented")
    ESTIMATED = "estimated", _("Estimated")
    ASSUMED = "assumed", _("Assumed")


class Api(models.TextChoices):
    """What a client calls; the first is what an appliance is probed with."""

    CHAT = "chat", _("Chat")
    EMBEDDINGS = "embeddings", _("Embeddings")
    RERANK = "rerank", _("Rerank")
    AUDIO = "audio", _("Audio")
    IMAGES = "images", _("Images")


class Appliance(models.Model):
    """A model sold as one thing: its licence, its geometry and where its facts come from.

    Shape: ``code`` is the id of the seed's row; ``weights_gib`` maps a precision to GiB of
    weights; ``architecture`` is empty where the geometry was not opened.
    """

    code = models.CharField(max_length=60, unique=True)
    name_zh = models.CharField(max_length=100)
    name_en = models.CharField(max_length=100)
    description_zh = models.TextField(blank=True)
    description_en = models.TextField(blank=True)
    category = models.CharField(max_length=40)
    api = models.CharField(max_length=20, choices=Api.choices)
    api_text = models.CharField(max_length=200)
    model = models.CharField(max_length=100)
    repo = models.CharField(max_length=200, blank=True)
    params_b = models.DecimalField(max_digits=10, decimal_places=4, null=True)
    active_params_b = models.DecimalField(max_digits=10, decimal_places=4, null=True)
    licence = models.CharField(max_length=200, blank=True)
    resale = models.CharField(max_length=10, choices=Resale.choices)
    resale_note = models.CharField(max_length=200, blank=True)
    weights_gib = models.JSONField(default=dict)
    weights_measured = models.BooleanField(default=False)
    architecture = models.JSONField(default=dict)
    kv_bytes_per_token = models.PositiveIntegerField(null=True)
    kv_tokens_design = models.PositiveIntegerField(null=True)
    extra_gib = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    context_native = models.PositiveIntegerField(null=True)
    context_served = models.PositiveIntegerField(null=True)
    documented_minimum = models.JSONField(default=list)
    components = models.JSONField(default=list)
    meters = models.JSONField(default=list)
    maturity = models.CharField(max_length=40)
    sources = models.JSONField(default=list)
    notes = models.TextField(blank=True)
    listing = models.CharField(
        max_length=10, choices=ListingState.choices, default=ListingState.DRAFT
    )
    listing_reason = models.CharField(max_length=500, blank=True)
    listed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(resale__in=Resale.values),
                name="appliances_appliance_resale_known",
            ),
            models.CheckConstraint(
                condition=models.Q(listing__in=ListingState.values),
                name="appliances_appliance_listing_known",
            ),
            # The licence gate stands in the database: no code path can sell what may not be sold.
            models.CheckConstraint(
                condition=~models.Q(listing=ListingState.LISTED) | models.Q(resale=Resale.ALLOWED),
                name="appliances_appliance_licence_gate",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class LaunchProfile(models.Model):
    """How one serving engine is started on one family of chips.

    Shape: ``command`` holds ``${name}`` places; values are checked against an allow-list and the
    result is an argument list, never a shell line.
    """

    code = models.CharField(max_length=60, unique=True)
    runtime = models.CharField(max_length=40)
    image = models.CharField(max_length=200)
    env = models.JSONField(default=dict)
    command = models.TextField()
    health_path = models.CharField(max_length=100)
    ready = models.CharField(max_length=100)
    metrics = models.CharField(max_length=200, blank=True)
    source = models.TextField()

    def __str__(self) -> str:
        return self.code


class ChipMemory(models.Model):
    """How much of a chip's memory a model can use; a measurement replaces the assumed share."""

    chip = models.CharField(max_length=60, unique=True)
    nominal_gb = models.DecimalField(max_digits=8, decimal_places=2)
    usable_gib = models.DecimalField(max_digits=8, decimal_places=2)
    node_cards = models.PositiveSmallIntegerField()
    confidence = models.CharField(max_length=12, choices=Confidence.choices)
    basis = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.chip


class Version(models.Model):
    """An appliance on one chip: precision, launch profile, and the cards it needs there.

    Shape: an empty ``chip`` runs on every chip of clusters whose engine is ``engine_kind``.
    """

    appliance = models.ForeignKey(Appliance, on_delete=models.PROTECT, related_name="versions")
    chip = models.CharField(max_length=60, blank=True)
    engine_kind = models.CharField(max_length=20, blank=True)
    precision = models.CharField(max_length=20)
    profile = models.ForeignKey(LaunchProfile, on_delete=models.PROTECT, related_name="+")
    alternative_profiles = models.JSONField(default=list)
    extra_args = models.JSONField(default=list)
    min_cards = models.PositiveSmallIntegerField()
    nodes = models.PositiveSmallIntegerField(default=1)
    min_cards_at_095 = models.PositiveSmallIntegerField(null=True)
    borderline = models.BooleanField(default=False)
    confidence = models.CharField(max_length=12, choices=Confidence.choices)
    source = models.TextField(blank=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["appliance", "chip", "engine_kind", "precision"],
                name="appliances_version_key",
            ),
            models.CheckConstraint(
                condition=models.Q(min_cards__gte=1), name="appliances_version_cards_positive"
            ),
            models.CheckConstraint(
                condition=~models.Q(chip="") | ~models.Q(engine_kind=""),
                name="appliances_version_place_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.appliance_id}/{self.chip or self.engine_kind}/{self.precision}"
