"""Which service a meter belongs to: what a credit's scope and a scheme's exclusions speak of."""

# The longest beginning of a meter's code that stands here decides.
_SERVICES: dict[str, str] = {
    "compute.": "compute",
    "compute.storage": "storage",
    "appliances.": "models",
    "appliances.storage": "storage",
    "storage.": "storage",
    "network.": "network",
    "security.": "security",
    "marketplace.": "marketplace",
}

KNOWN = ("compute", "models", "storage", "network", "security", "marketplace")


def service_of(meter: str) -> str:
    """The service of a meter; the part before the first dot where nothing else is said."""
    fitting = [start for start in _SERVICES if meter.startswith(start)]
    return _SERVICES[max(fitting, key=len)] if fitting else meter.partition(".")[0]
