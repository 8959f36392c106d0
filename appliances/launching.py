"""From a version of the catalogue to the argument list that its serving engine is started with."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from appliances.models import Version
from appliances.runtimes import LaunchPlan, LaunchProfile, LaunchRefused, LaunchValues, Runtime

DEFAULT_CONTEXT_TOKENS = 4096
# Builds in these precisions need the engine told so where the profile has a place for it.
ASCEND_QUANTISED = frozenset({"w8a8", "w4a8"})


@cache
def runtime_for(name: str) -> Runtime:
    """The way of serving that settings name; nothing imports the adapters.

    Raises: LaunchRefused for one that is not there.
    """
    path = settings.APPLIANCE_RUNTIMES.get(name)
    if path is None:
        raise LaunchRefused(reason=f"no runtime is called {name}")
    runtime: Runtime = import_string(path)()
    return runtime


def plan_for(*, version: Version, name: str, cards: int) -> LaunchPlan:
    """What the engine is asked to run so that the model answers under ``name``.

    Raises: LaunchRefused where the profile or one of its values may not be started.
    """
    profile, appliance = version.profile, version.appliance
    quantised = version.precision in ASCEND_QUANTISED and "${quant_args}" in profile.command
    return runtime_for(profile.runtime).launch(
        LaunchProfile(
            code=profile.code,
            command=profile.command,
            env=profile.env,
            health=profile.health_path,
            ready=profile.ready,
            metrics=profile.metrics,
        ),
        LaunchValues(
            name=name,
            # Some rows name several builds; the first is the one the arithmetic is about.
            model_path=appliance.repo.split(" ", 1)[0],
            cards=cards,
            context_tokens=appliance.context_served or DEFAULT_CONTEXT_TOKENS,
            quant_args=("--quantization", "ascend") if quantised else (),
            extra=tuple(version.extra_args),
        ),
    )
