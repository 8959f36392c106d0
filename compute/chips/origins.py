"""Where a chip's maker sits, as voucher schemes ask: domestic makers, and the others."""

from typing import Final

DOMESTIC: Final = "domestic"
OTHER: Final = "other"

# The catalogue's makers outside China, as its rows name them; every other one it lists is inside.
FOREIGN_VENDORS: Final = frozenset({"NVIDIA", "AMD", "Intel"})


def origin_of_vendor(vendor: str) -> str:
    """The origin of a maker; one that the catalogue leaves empty is not taken for domestic."""
    return OTHER if not vendor or vendor in FOREIGN_VENDORS else DOMESTIC
