"""Deployments: start an appliance, look at it, stop it."""

from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from appliances.commands.deployments import deploy, stop
from appliances.queries import deployments
from portal.api.endpoint import Call, Endpoint, posts, reads, says
from portal.api.fields import Identifier, Instant, Strict, Text
from portal.api.v1.reservations import Nothing
from tenants.permissions import Permission
from tenants.queries.projects import project_named


class DeploymentIn(Strict):
    project = Text(max_length=40, help_text=_("The project's code."))
    appliance = Text(max_length=60, help_text=_("The appliance's code."))
    name = Text(max_length=100)
    served_model_name = Text(
        max_length=63,
        default="",
        help_text=_('What callers send as "model"; the name, where that can be one.'),
    )
    reservation = Identifier(
        required=False, help_text=_("Run in this reservation; or name a pool.")
    )
    pool = Text(max_length=60, default="", help_text=_("Run on demand in this pool."))
    until = Instant(required=False, help_text=_("On demand only; a day from now by default."))
    service_class = serializers.ChoiceField(
        choices=["on_demand", "shared", "urgent"],
        required=False,
        help_text=_(
            "With a pool only, and on demand unless told; a pool lists what it offers. Shared work "
            "ends when work of a higher class needs its cards. It is fixed from then on."
        ),
    )


# Output serializers are generic over models this layer must not import.
class DeploymentOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    project = serializers.CharField(source="project.code")
    appliance = serializers.CharField(source="version.appliance.code")
    name = serializers.CharField()
    model = serializers.CharField(source="served_model_name")
    state = serializers.CharField()
    reason = serializers.CharField()
    last_lines = serializers.CharField(help_text=_("The end of what the engine said."))
    reservation = serializers.UUIDField(source="reservation_id", allow_null=True)
    pool = serializers.CharField(source="pool_code")
    cards = serializers.IntegerField()
    service_class = serializers.CharField(
        help_text=_('"on_demand", "shared" or "urgent"; "covered" in a reservation.')
    )
    until = Instant(allow_null=True)
    base_url = serializers.SerializerMethodField(
        help_text=_("Where model calls go, with this key and the deployment's model name.")
    )
    billed = serializers.BooleanField(
        source="is_billed", help_text=_("Whether this state costs money.")
    )
    observed_at = Instant(
        source="probed_at", allow_null=True, help_text=_("When it was last looked at.")
    )
    created_at = Instant()

    def get_base_url(self, deployment: object) -> str:
        return f"{settings.GATEWAY_URL}/v1"


class Deployments(Endpoint):
    """Appliances, running."""

    @says(_("List the deployments, newest first."))
    @reads(Permission.DEPLOYMENT_READ, DeploymentOut, page=True)
    def get(self, call: Call) -> object:
        return deployments.page(actor=call.actor, **call.page)

    @says(_("Start an appliance in a reservation, or on demand in a pool."))
    @posts(Permission.DEPLOYMENT_CREATE, DeploymentIn, DeploymentOut)
    def post(self, call: Call) -> object:
        asked = call.body
        project = project_named(actor=call.actor, tenant_id=call.tenant_id, code=asked["project"])
        return deploy(
            actor=call.actor,
            project_id=project.pk,
            appliance_code=asked["appliance"],
            name=asked["name"],
            served_model_name=asked["served_model_name"],
            reservation_id=asked.get("reservation"),
            pool_code=asked["pool"],
            until=asked.get("until"),
            service_class=asked.get("service_class"),
            now=call.now,
        )


class Deployment(Endpoint):
    """One deployment."""

    @says(_("Show one deployment."))
    @reads(Permission.DEPLOYMENT_READ, DeploymentOut)
    def get(self, call: Call, deployment_id: UUID) -> object:
        return deployments.one(actor=call.actor, deployment_id=deployment_id)


class DeploymentStop(Endpoint):
    """The end of a deployment."""

    @says(_("Stop a deployment; its cards are free when the engine has ended it."))
    @posts(Permission.DEPLOYMENT_STOP, Nothing, DeploymentOut, status=200)
    def post(self, call: Call, deployment_id: UUID) -> object:
        return stop(actor=call.actor, deployment_id=deployment_id, now=call.now)
