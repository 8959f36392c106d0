"""What must always hold between compute's tables, checkable at any moment; empty is well.

Run in tests after every fault, and in production as a job whose answer operators see.
"""

from collections.abc import Mapping

from django.db import connection

from tenants.queries.invariants import MOST_EXAMPLES, Breach
from tenants.scoping import operator_scope

# Each gives the subjects that break the rule it is named after.
CHECKS: Mapping[str, str] = {
    "no unit is taken beyond capacity": """
        SELECT profile_id::text FROM compute_segment WHERE taken > capacity
    """,
    "a profile covers all of time once": """
        SELECT profile.id::text FROM compute_profile profile
        LEFT JOIN LATERAL (
            SELECT range_agg(during) AS covered,
                   count(*) AS parts,
                   sum(CASE WHEN lower_inf(during) THEN 1 ELSE 0 END) AS heads
            FROM compute_segment WHERE profile_id = profile.id
        ) segments ON true
        WHERE covered IS DISTINCT FROM tstzmultirange(tstzrange(NULL, NULL)) OR heads <> 1
    """,
    # Neighbours that are alike are one segment, so claims are added up at every instant at which
    # a claim starts or ends or a segment starts, and compared with the segment there.
    "segments hold exactly the sum of the claims": """
        WITH turns AS (
            SELECT profile_id, lower(during) AS at, cards FROM compute_claim
                WHERE NOT isempty(during)
            UNION ALL
            SELECT profile_id, upper(during), -cards FROM compute_claim WHERE NOT isempty(during)
            UNION ALL
            SELECT profile_id, coalesce(lower(during), '-infinity'), 0 FROM compute_segment
        ), levels AS (
            SELECT profile_id, at, sum(sum(cards)) OVER (
                PARTITION BY profile_id ORDER BY at) AS cards
            FROM turns GROUP BY profile_id, at
        )
        SELECT levels.profile_id::text FROM levels
        LEFT JOIN compute_segment segment
          ON segment.profile_id = levels.profile_id AND segment.during @> levels.at
        WHERE segment.taken IS DISTINCT FROM levels.cards
    """,
    "a reservation's profile has the cards of its claim": """
        SELECT claim.subject FROM compute_profile profile
        JOIN compute_claim claim ON claim.id = profile.backing_id
        JOIN compute_segment segment ON segment.profile_id = profile.id
        WHERE segment.capacity
              <> CASE WHEN segment.during && claim.during THEN claim.cards ELSE 0 END
    """,
    "a live reservation holds its cards for its whole period": """
        SELECT 'compute.reservation:' || r.id FROM compute_reservation r
        JOIN compute_claim claim ON claim.id = r.claim_id
        WHERE r.state IN ('held', 'awaiting_approval', 'confirmed', 'activating', 'active')
          AND (claim.during <> tstzrange(r.starts_at, r.ends_at) OR claim.cards <> r.cards)
    """,
    "a reservation that came to nothing holds no cards": """
        SELECT 'compute.reservation:' || r.id FROM compute_reservation r
        JOIN compute_claim claim ON claim.id = r.claim_id
        WHERE r.state IN ('rejected', 'expired', 'cancelled', 'failed')
          AND upper(claim.during) > now() AND upper(claim.during) > r.ended_at
    """,
    "a live workload holds its cards until its time": """
        SELECT 'compute.workload:' || w.id FROM compute_workload w
        JOIN compute_claim claim ON claim.id = w.claim_id
        WHERE w.state IN ('requested', 'placing', 'starting', 'running', 'stopping')
          AND (claim.cards <> w.cards OR isempty(claim.during))
    """,
    "a workload in a reservation takes the reservation's cards": """
        SELECT 'compute.workload:' || w.id FROM compute_workload w
        JOIN compute_claim claim ON claim.id = w.claim_id
        JOIN compute_reservation r ON r.id = w.reservation_id
        WHERE claim.profile_id <> r.profile_id OR w.tenant_id <> r.tenant_id
    """,
    "every claim belongs to something": """
        SELECT claim.subject FROM compute_claim claim
        WHERE claim.kind <> 'maintenance'
          AND NOT EXISTS (SELECT FROM compute_reservation r WHERE r.claim_id = claim.id)
          AND NOT EXISTS (SELECT FROM compute_workload w WHERE w.claim_id = claim.id)
    """,
    "nothing is charged past what an engine vouches for": """
        SELECT record_key FROM compute_engineusage
        WHERE billed_until > seen_until
           OR (billed_until > ended_at AND reason = '')
    """,
    "no reservation is charged outside its activation": """
        SELECT 'compute.reservation:' || id FROM compute_reservation
        WHERE accrued_until > coalesce(ended_at, ends_at) OR accrued_until < activated_at
    """,
}


def breaches() -> tuple[Breach, ...]:
    """Every rule that does not hold now."""
    found = []
    with operator_scope(), connection.cursor() as cursor:
        for rule, statement in CHECKS.items():
            cursor.execute(f"SELECT DISTINCT * FROM ({statement}) AS broken LIMIT {MOST_EXAMPLES}")  # noqa: S608 - constants of this module
            subjects = tuple(str(subject) for (subject,) in cursor.fetchall())
            if subjects:
                found.append(Breach(rule, subjects))
    return tuple(found)
