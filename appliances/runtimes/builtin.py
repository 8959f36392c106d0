"""The product's own small test model, served on the processor of the engine's machine."""

import sys
from pathlib import Path
from typing import Final

from appliances.runtimes import LaunchPlan, LaunchProfile, LaunchValues

CODE_ROOT: Final = Path(__file__).resolve().parents[2]
SERVER: Final = "appliances.runtimes.smallmodel.server"


class BuiltinRuntime:
    """Starts the small model with the portal's own interpreter and code."""

    def launch(self, profile: LaunchProfile, values: LaunchValues) -> LaunchPlan:
        """The profile's command is not used: the program is this product itself."""
        env = {"PYTHONPATH": str(CODE_ROOT)}
        if values.port is not None:
            env["PORT"] = str(values.port)
        return LaunchPlan(
            argv=(sys.executable, "-m", SERVER, "--name", values.name),
            env=env,
            health_path=profile.health or "/health",
            ready_path="/v1/models",
            metrics_path="/metrics",
        )
