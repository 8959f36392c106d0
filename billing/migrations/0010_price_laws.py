"""What the database itself refuses of prices, tax rates, spot quotes and contracts."""

from django.db import migrations

from tenants import walls

DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp"

PRIVILEGES = """
REVOKE INSERT, UPDATE, DELETE ON billing_spotprice, billing_taxchange, billing_contract,
    billing_contractterm FROM acp_app;
REVOKE UPDATE ON billing_contractterm FROM acp_operator;
"""

PRICES = f"""
CREATE FUNCTION billing_tiers_sound(model text, tiers jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN model IN ('flat', 'package', 'spot') THEN tiers = '[]'::jsonb
        WHEN model NOT IN ('graduated', 'volume') OR jsonb_typeof(tiers) <> 'array'
            OR jsonb_array_length(tiers) = 0 THEN false
        ELSE NOT EXISTS (
            SELECT FROM (
                SELECT place, (tier ->> 'up_to')::bigint AS up_to,
                    (tier ->> 'unit_price')::numeric AS price, (tier ->> 'fee')::numeric AS fee,
                    lag((tier ->> 'up_to')::bigint, 1, 0::bigint) OVER (ORDER BY place) AS start
                FROM jsonb_array_elements(tiers) WITH ORDINALITY AS listed (tier, place)
            ) step
            WHERE price IS NULL OR fee IS NULL OR price < 0 OR fee < 0 OR price >= 1e15
                OR fee >= 1e15 OR (up_to IS NULL) <> (place = jsonb_array_length(tiers))
                OR up_to <= start)
    END
$$;
ALTER TABLE billing_price ADD CONSTRAINT billing_price_tiers_sound
    CHECK (billing_tiers_sound(model, tiers));

CREATE OR REPLACE FUNCTION billing_price_frozen() RETURNS trigger {DEFINER} AS $$
DECLARE
    other_states text[];
BEGIN
    IF TG_TABLE_NAME = 'billing_price' THEN
        SELECT array_agg(state) INTO other_states FROM (
            SELECT state FROM billing_priceversion WHERE state <> 'draft' AND id IN (
                CASE WHEN TG_OP <> 'INSERT' THEN OLD.version_id END,
                CASE WHEN TG_OP <> 'DELETE' THEN NEW.version_id END)
            FOR SHARE) found;
        IF other_states IS NOT NULL THEN
            RAISE EXCEPTION 'a submitted or published price list does not change'
                USING ERRCODE = 'restrict_violation';
        END IF;
        -- A list under somebody's hand is not submitted meanwhile.
        PERFORM FROM billing_priceversion WHERE id IN (
            CASE WHEN TG_OP <> 'INSERT' THEN OLD.version_id END,
            CASE WHEN TG_OP <> 'DELETE' THEN NEW.version_id END) FOR SHARE;
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'a price list begins as a draft' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state = 'published' OR (TG_OP = 'DELETE' AND OLD.state <> 'draft') THEN
        RAISE EXCEPTION 'a published price list does not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF NOT NEW.authors @> OLD.authors THEN
        RAISE EXCEPTION 'who changed a price list is not forgotten'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'submitted' AND NEW.state <> 'draft' AND ROW(NEW.effective_at, NEW.currency,
        NEW.authors) IS DISTINCT FROM ROW(OLD.effective_at, OLD.currency, OLD.authors) THEN
        RAISE EXCEPTION 'a submitted price list does not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'published' AND NOT EXISTS (
        SELECT FROM billing_price WHERE version_id = NEW.id
    ) THEN
        RAISE EXCEPTION 'a price list has prices' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'published' AND OLD.state = 'draft' AND cardinality(NEW.authors) > 0 THEN
        RAISE EXCEPTION 'a drafted price list is submitted before it is published'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
DROP TRIGGER billing_priceversion_frozen ON billing_priceversion;
CREATE TRIGGER billing_priceversion_frozen BEFORE INSERT OR UPDATE OR DELETE
    ON billing_priceversion FOR EACH ROW EXECUTE FUNCTION billing_price_frozen();
-- A list that ships with the product has no author and no publisher.
ALTER TABLE billing_priceversion ADD CONSTRAINT billing_priceversion_four_eyes CHECK (
    state <> 'published' OR CASE WHEN cardinality(authors) = 0 THEN published_by_id IS NULL
        ELSE published_by_id IS NOT NULL AND NOT published_by_id = ANY (authors) END);
ALTER TABLE billing_priceversion ADD CONSTRAINT billing_priceversion_ahead CHECK (
    state <> 'published' OR cardinality(authors) = 0 OR effective_at >= published_at);
ALTER TABLE billing_spotprice ADD CONSTRAINT billing_spotprice_whole_hour
    CHECK (date_trunc('hour', starts_at, 'UTC') = starts_at);
"""

TAXES = f"""
CREATE FUNCTION billing_taxchange_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'proposed' OR ROW(NEW.tax_code, NEW.rate, NEW.starts_at,
        NEW.proposed_by_id) IS DISTINCT FROM ROW(OLD.tax_code, OLD.rate, OLD.starts_at,
        OLD.proposed_by_id) THEN
        RAISE EXCEPTION 'a proposed tax rate is decided once and never changed'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_taxchange_frozen BEFORE UPDATE OR DELETE ON billing_taxchange
    FOR EACH ROW EXECUTE FUNCTION billing_taxchange_frozen();
ALTER TABLE billing_taxchange ADD CONSTRAINT billing_taxchange_whole_hour
    CHECK (date_trunc('hour', starts_at, 'UTC') = starts_at);
ALTER TABLE billing_taxchange ADD CONSTRAINT billing_taxchange_ahead
    CHECK (state <> 'approved' OR starts_at >= decided_at);

CREATE FUNCTION billing_taxrate_law() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.change_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM billing_taxchange change
            WHERE change.id = NEW.change_id AND change.state = 'approved'
                AND change.tax_code = NEW.tax_code AND change.rate = NEW.rate
                AND change.starts_at = lower(NEW.during)
        ) THEN
            RAISE EXCEPTION 'a tax rate is what was approved' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    -- All that may happen to a rate is that it ends where another one begins.
    IF TG_OP = 'DELETE' OR ROW(NEW.id, NEW.tax_code, NEW.rate, NEW.change_id, lower(NEW.during))
        IS DISTINCT FROM ROW(OLD.id, OLD.tax_code, OLD.rate, OLD.change_id, lower(OLD.during))
        OR upper(OLD.during) IS NOT NULL OR upper(NEW.during) IS NULL THEN
        RAISE EXCEPTION 'a tax rate ends and never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_taxrate_law BEFORE INSERT OR UPDATE OR DELETE ON billing_taxrate
    FOR EACH ROW EXECUTE FUNCTION billing_taxrate_law();
"""

CONTRACTS = f"""
-- The first whole hour that no invoice has closed.
CREATE FUNCTION billing_open_from(tenant uuid) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(date_bin('1 hour', max(period_end) + interval '59 minutes 59.999999 seconds',
        'epoch'), '-infinity') FROM billing_invoice WHERE tenant_id = tenant
$$;

CREATE FUNCTION billing_contract_moves() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'a contract begins as a draft' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state <> 'draft' AND (TG_OP = 'DELETE' OR OLD.state = 'ended' OR NEW.state <> 'ended'
        OR NEW.ends_at > OLD.ends_at
        OR ROW(NEW.tenant_id, NEW.number, NEW.title, NEW.currency, NEW.starts_at, NEW.activated_at)
            IS DISTINCT FROM ROW(OLD.tenant_id, OLD.number, OLD.title, OLD.currency,
                OLD.starts_at, OLD.activated_at)) THEN
        RAISE EXCEPTION 'an agreed contract only ends' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF NEW.state = 'active' AND EXISTS (
        SELECT FROM billing_contractterm term WHERE term.contract_id = NEW.id AND (
            term.starts_at < NEW.starts_at OR term.ends_at > NEW.ends_at
            OR term.starts_at < billing_open_from(NEW.tenant_id))
    ) OR NEW.state = 'ended' AND OLD.state = 'active' AND NEW.ends_at < OLD.ends_at
        AND NEW.ends_at < billing_open_from(NEW.tenant_id) THEN
        RAISE EXCEPTION 'contract terms lie in the contract and never reach into a closed period'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_contract_open_hours';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_contract_moves BEFORE INSERT OR UPDATE OR DELETE ON billing_contract
    FOR EACH ROW EXECUTE FUNCTION billing_contract_moves();

CREATE FUNCTION billing_contract_in_force() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF NEW.state <> OLD.state THEN
        UPDATE billing_contractterm SET in_force = tstzrange(
            starts_at, greatest(starts_at, least(ends_at, NEW.ends_at)))
            WHERE contract_id = NEW.id AND NEW.state <> 'draft';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_contract_in_force AFTER UPDATE ON billing_contract
    FOR EACH ROW EXECUTE FUNCTION billing_contract_in_force();

CREATE FUNCTION billing_contractterm_frozen() RETURNS trigger {DEFINER} AS $$
DECLARE
    contract_state text;
BEGIN
    -- The contract's own trigger keeps in_force; nothing else may touch a term.
    IF TG_OP = 'UPDATE' THEN
        IF pg_trigger_depth() < 2 THEN
            RAISE EXCEPTION 'contract terms do not change' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    SELECT state INTO contract_state FROM billing_contract
        WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.contract_id ELSE NEW.contract_id END
        FOR SHARE;
    IF contract_state <> 'draft' THEN
        RAISE EXCEPTION 'terms of an agreed contract do not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.in_force := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_contractterm_frozen BEFORE INSERT OR UPDATE OR DELETE
    ON billing_contractterm FOR EACH ROW EXECUTE FUNCTION billing_contractterm_frozen();

ALTER TABLE billing_contract ADD CONSTRAINT billing_contract_whole_hours CHECK (
    date_trunc('hour', starts_at, 'UTC') = starts_at
    AND date_trunc('hour', ends_at, 'UTC') = ends_at);
ALTER TABLE billing_contractterm ADD CONSTRAINT billing_contractterm_whole_hours CHECK (
    date_trunc('hour', starts_at, 'UTC') = starts_at
    AND date_trunc('hour', ends_at, 'UTC') = ends_at);
ALTER TABLE billing_contractterm ADD CONSTRAINT billing_contractterm_tiers_sound CHECK (
    CASE WHEN kind = 'price' THEN model <> 'spot' AND billing_tiers_sound(model, tiers)
        ELSE tiers = '[]'::jsonb END);

-- What a term is about, as a number: two terms about the same thing never hold at once. Two
-- things with one hash could at worst be refused, never overlap.
CREATE FUNCTION billing_term_subject(kind text, span text, meter text, sku text, match jsonb)
RETURNS int8range LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT int8range(subject, subject, '[]') FROM (SELECT hashtextextended(
        CASE WHEN kind IN ('discount', 'price') THEN 'rate' ELSE span END
        || chr(31) || meter || chr(31) || sku || chr(31) || match::text, 0) >> 1) hashed (subject)
$$;
ALTER TABLE billing_contractterm ADD CONSTRAINT billing_contractterm_no_overlap
    EXCLUDE USING gist (
        billing_point(tenant_id) WITH &&,
        billing_term_subject(kind, "interval", meter, sku, match) WITH &&,
        in_force WITH &&
    ) WHERE (in_force IS NOT NULL);
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0009_price_book"), ("tenants", "0002_walls")]

    operations = [
        walls.tenant_wall("billing_contract"),
        walls.tenant_wall("billing_contractterm"),
        walls.tenant_reference("billing_contractterm", "contract_id", "billing_contract"),
        walls.owner_upkeep("billing_contract"),
        walls.owner_upkeep("billing_contractterm"),
        walls.append_only("billing_spotprice"),
        *[
            migrations.RunSQL(statement, migrations.RunSQL.noop)
            for statement in (PRIVILEGES, PRICES, TAXES, CONTRACTS)
        ],
    ]
