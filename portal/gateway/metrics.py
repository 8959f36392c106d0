"""What the gateway tells Prometheus: numbers about itself, never about a tenant."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """One process's numbers, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "gateway_requests",
            "Calls by route and status.",
            ("route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "gateway_request_seconds",
            "From the request to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.tokens = Counter(
            "gateway_tokens",
            "Tokens metered; reported by the model server, or estimated.",
            ("direction", "basis"),
            registry=self.registry,
        )
        self.partial = Counter(
            "gateway_partial_answers", "Streams that ended early.", registry=self.registry
        )
        self.snapshot_age = Gauge(
            "gateway_snapshot_age_seconds",
            "Age of the keys, routes and budgets served from.",
            registry=self.registry,
        )
        self.spool_pending = Gauge(
            "gateway_spool_pending_records",
            "Metered calls billing has not yet taken.",
            registry=self.registry,
        )
        self.spool_refused = Counter(
            "gateway_spool_refused_records",
            "Metered calls billing refused; they are kept in refused.jsonl.",
            registry=self.registry,
        )

    def text(self) -> bytes:
        return generate_latest(self.registry)
