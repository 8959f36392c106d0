"""The database's own refusal of more cards than there are, and of writing round it."""

from django.db import migrations

SEGMENTS = """
ALTER TABLE compute_segment
    ADD CONSTRAINT compute_segment_never_empty CHECK (NOT isempty(during)),
    -- A range of one number stands for the profile, so that no extension is needed.
    ADD CONSTRAINT compute_segment_disjoint EXCLUDE USING gist (
        int8range(profile_id, profile_id, '[]') WITH &&, during WITH &&
    );

-- Make a boundary at t, so that what follows can change whole segments.
CREATE FUNCTION compute_cut(p bigint, t timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    s compute_segment;
BEGIN
    SELECT * INTO s FROM compute_segment
        WHERE int8range(profile_id, profile_id, '[]') && int8range(p, p, '[]') AND during @> t;
    IF NOT FOUND OR lower(s.during) = t THEN
        RETURN;
    END IF;
    UPDATE compute_segment SET during = tstzrange(lower(s.during), t) WHERE id = s.id;
    INSERT INTO compute_segment (profile_id, during, capacity, taken)
        VALUES (p, tstzrange(t, upper(s.during)), s.capacity, s.taken);
END
$$;

-- Drop the boundary at t again where both sides have become alike.
CREATE FUNCTION compute_join(p bigint, t timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    a compute_segment;
    b compute_segment;
BEGIN
    SELECT * INTO b FROM compute_segment
        WHERE int8range(profile_id, profile_id, '[]') && int8range(p, p, '[]')
          AND during @> t AND lower(during) = t;
    SELECT * INTO a FROM compute_segment
        WHERE int8range(profile_id, profile_id, '[]') && int8range(p, p, '[]')
          AND during -|- b.during AND upper(during) = t;
    IF a.id IS NOT NULL AND a.capacity = b.capacity AND a.taken = b.taken THEN
        DELETE FROM compute_segment WHERE id = b.id;
        UPDATE compute_segment SET during = tstzrange(lower(a.during), upper(b.during))
            WHERE id = a.id;
    END IF;
END
$$;

-- Take (or, with a negative number, give back) cards over a stretch of time.
CREATE FUNCTION compute_take(p bigint, r tstzrange, delta integer) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF isempty(r) THEN
        RETURN;
    END IF;
    PERFORM compute_cut(p, lower(r));
    PERFORM compute_cut(p, upper(r));
    UPDATE compute_segment SET taken = taken + delta
        WHERE int8range(profile_id, profile_id, '[]') && int8range(p, p, '[]') AND during && r;
    PERFORM compute_join(p, lower(r));
    PERFORM compute_join(p, upper(r));
END
$$;

-- Have so many cards over a stretch of time.
CREATE FUNCTION compute_have(p bigint, r tstzrange, cards integer) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF isempty(r) THEN
        RETURN;
    END IF;
    PERFORM compute_cut(p, lower(r));
    PERFORM compute_cut(p, upper(r));
    UPDATE compute_segment SET capacity = cards
        WHERE int8range(profile_id, profile_id, '[]') && int8range(p, p, '[]') AND during && r;
    PERFORM compute_join(p, lower(r));
    PERFORM compute_join(p, upper(r));
END
$$;
"""

CLAIMS = """
CREATE FUNCTION compute_claim_law() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    owner uuid;
    backed bigint;
    piece tstzrange;
BEGIN
    -- One writer of a profile at a time, also among sessions that know nothing of the
    -- application's lock: the second one then reads what the first has committed.
    SELECT tenant_id INTO owner FROM compute_profile WHERE id = NEW.profile_id FOR UPDATE;
    IF TG_OP = 'INSERT' THEN
        IF owner IS NOT NULL AND owner IS DISTINCT FROM NEW.tenant_id THEN
            RAISE EXCEPTION 'the profile belongs to another tenant'
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF isempty(NEW.during) OR lower_inf(NEW.during) OR upper_inf(NEW.during)
           OR NOT lower_inc(NEW.during) OR upper_inc(NEW.during)
           OR NEW.booked IS DISTINCT FROM NEW.during THEN
            RAISE EXCEPTION 'a claim needs a half-open period with two ends'
                USING ERRCODE = 'check_violation';
        END IF;
        PERFORM compute_take(NEW.profile_id, NEW.during, NEW.cards);
        IF NEW.kind = 'reservation' THEN
            -- What a reservation has taken is in turn a profile, for the work inside it.
            INSERT INTO compute_profile (tenant_id, backing_id) VALUES (NEW.tenant_id, NEW.id)
                RETURNING id INTO backed;
            PERFORM compute_have(backed, NEW.during, NEW.cards);
        END IF;
        RETURN NULL;
    END IF;
    IF (NEW.id, NEW.profile_id, NEW.cards, NEW.booked, NEW.kind, NEW.subject)
       IS DISTINCT FROM
       (OLD.id, OLD.profile_id, OLD.cards, OLD.booked, OLD.kind, OLD.subject)
       OR NEW.tenant_id IS DISTINCT FROM OLD.tenant_id
       OR NOT NEW.during <@ OLD.during THEN
        RAISE EXCEPTION 'a claim can only become shorter' USING ERRCODE = 'restrict_violation';
    END IF;
    SELECT id INTO backed FROM compute_profile WHERE backing_id = NEW.id FOR UPDATE;
    FOR piece IN SELECT unnest(tstzmultirange(OLD.during) - tstzmultirange(NEW.during)) LOOP
        PERFORM compute_take(NEW.profile_id, piece, -NEW.cards);
        IF backed IS NOT NULL THEN
            -- Refused while work inside still takes cards of that time.
            PERFORM compute_have(backed, piece, 0);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER compute_claim_law AFTER INSERT OR UPDATE ON compute_claim
    FOR EACH ROW EXECUTE FUNCTION compute_claim_law();

CREATE FUNCTION compute_claim_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a claim is released by shortening it, never deleted'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER compute_claim_stays BEFORE DELETE ON compute_claim
    FOR EACH ROW EXECUTE FUNCTION compute_claim_stays();

CREATE FUNCTION compute_profile_opens() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- All of time from the beginning, with nothing in it.
    INSERT INTO compute_segment (profile_id, during, capacity, taken)
        VALUES (NEW.id, tstzrange(NULL, NULL), 0, 0);
    RETURN NULL;
END
$$;
CREATE TRIGGER compute_profile_opens AFTER INSERT ON compute_profile
    FOR EACH ROW EXECUTE FUNCTION compute_profile_opens();

CREATE FUNCTION compute_capacity_law() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    backing uuid;
    following timestamptz;
BEGIN
    SELECT backing_id INTO backing FROM compute_profile WHERE id = NEW.profile_id FOR UPDATE;
    IF backing IS NOT NULL THEN
        RAISE EXCEPTION 'a reservation has the cards of its claim'
            USING ERRCODE = 'restrict_violation';
    END IF;
    SELECT min(at) INTO following FROM compute_capacitychange
        WHERE profile_id = NEW.profile_id AND at > NEW.at;
    PERFORM compute_have(NEW.profile_id, tstzrange(NEW.at, following), NEW.cards);
    RETURN NULL;
END
$$;
CREATE TRIGGER compute_capacity_law AFTER INSERT ON compute_capacitychange
    FOR EACH ROW EXECUTE FUNCTION compute_capacity_law();

ALTER TABLE compute_profile ADD CONSTRAINT compute_profile_backing_pair UNIQUE (id, backing_id);
ALTER TABLE compute_reservation ADD CONSTRAINT compute_reservation_own_profile
    FOREIGN KEY (profile_id, claim_id) REFERENCES compute_profile (id, backing_id);
"""

RIGHTS = """
REVOKE EXECUTE ON FUNCTION compute_cut(bigint, timestamptz), compute_join(bigint, timestamptz),
    compute_take(bigint, tstzrange, integer), compute_have(bigint, tstzrange, integer)
    FROM PUBLIC;
-- The triggers write segments; nobody else does.
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON compute_segment FROM acp_app, acp_operator;
REVOKE DELETE, TRUNCATE ON compute_claim FROM acp_app, acp_operator;
-- What all tenants share is changed by the centre, never under a tenant's role. Locking a pool
-- needs a right to update one column of it.
REVOKE INSERT, UPDATE, DELETE ON compute_centre, compute_chipmodel, compute_cluster, compute_pool,
    compute_node, compute_profile, compute_capacitychange, compute_reservationpolicy FROM acp_app;
GRANT UPDATE (id) ON compute_pool TO acp_app;
"""


class Migration(migrations.Migration):
    dependencies = [("compute", "0001_initial")]

    operations = [
        migrations.RunSQL(SEGMENTS, migrations.RunSQL.noop),
        migrations.RunSQL(CLAIMS, migrations.RunSQL.noop),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
