"""The embedded engine: processes of this one machine, on cards that its settings declare.

Each workload runs under a small supervisor process of its own, so it outlives the portal and is
found again by its key. It is for one machine and for tests and never grows into a scheduler: there
is no queue order, a workload simply waits until enough declared cards are free.
"""

from compute.engines.local.engine import LocalEngine, shutdown

__all__ = ["LocalEngine", "shutdown"]
