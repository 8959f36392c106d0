"""What profiles say about a period."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from django.db import connection

from common.period import Period
from compute.capacity import Step

# One index scan a profile: the expression is the one the exclusion constraint indexes.
STEPS = """
SELECT s.profile_id,
       greatest(lower(s.during), %(start)s::timestamptz),
       least(upper(s.during), %(end)s::timestamptz),
       s.capacity, s.taken
FROM unnest(%(profiles)s::bigint[]) AS p(id)
JOIN compute_segment s
  ON int8range(s.profile_id, s.profile_id, '[]') && int8range(p.id, p.id, '[]')
 AND s.during && tstzrange(%(start)s, %(end)s)
ORDER BY 1, 2
"""


def steps_of(profile_ids: Collection[int], period: Period) -> Mapping[int, tuple[Step, ...]]:
    """The steps of each profile over the period, in order, all of it covered; one statement."""
    found: dict[int, list[Step]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            STEPS,
            {"profiles": list(profile_ids), "start": period.start, "end": period.end},
        )
        for profile_id, start, end, capacity, taken in cursor.fetchall():
            found[profile_id].append(Step(Period(start, end), capacity, taken))
    return {profile_id: tuple(found[profile_id]) for profile_id in profile_ids}
