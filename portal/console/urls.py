"""The tenant console's addresses, all under /t/<code>/."""

from django.urls import path

from portal.console.catalogue import appliance, catalogue
from portal.console.deploy import deploy
from portal.console.deployments import (
    deployment_detail,
    deployment_list,
    deployment_retry,
    deployment_status,
    deployment_stop,
)
from portal.console.home import home
from portal.console.reservations import (
    reservation_cancel,
    reservation_detail,
    reservation_end,
    reservation_list,
    reservation_submit,
)
from portal.console.reserve import reserve

app_name = "console"

_reservation = "reservations/<uuid:reservation_id>/"
_deployment = "deployments/<uuid:deployment_id>/"

urlpatterns = [
    path("", home, name="home"),
    path("reserve/", reserve, name="reserve"),
    path("reservations/", reservation_list, name="reservation-list"),
    path(_reservation, reservation_detail, name="reservation"),
    path(f"{_reservation}submit/", reservation_submit, name="reservation-submit"),
    path(f"{_reservation}cancel/", reservation_cancel, name="reservation-cancel"),
    path(f"{_reservation}end/", reservation_end, name="reservation-end"),
    path("catalogue/", catalogue, name="catalogue"),
    path("catalogue/<str:appliance_code>/", appliance, name="appliance"),
    path("deploy/<str:appliance_code>/", deploy, name="deploy"),
    path("deployments/", deployment_list, name="deployment-list"),
    path(_deployment, deployment_detail, name="deployment"),
    path(f"{_deployment}status/", deployment_status, name="deployment-status"),
    path(f"{_deployment}stop/", deployment_stop, name="deployment-stop"),
    path(f"{_deployment}retry/", deployment_retry, name="deployment-retry"),
]
