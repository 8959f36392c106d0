"""What the database refuses of credits by itself: overdrawn lots, broken caps, changed claims."""

from django.db import migrations

from tenants import walls

TENANT_TABLES = (
    "creditlot",
    "credituse",
    "creditrestore",
    "vouchercap",
    "voucherapplication",
    "settlementrow",
)
REFERENCES = (
    ("creditlot", "application_id", "billing_voucherapplication"),
    ("creditlot", "grace_of_id", "billing_creditlot"),
    ("creditlot", "project_id", "tenants_project"),
    ("credituse", "lot_id", "billing_creditlot"),
    ("credituse", "invoice_line_id", "billing_invoiceline"),
    ("credituse", "restores_id", "billing_credituse"),
    ("credituse", "restore_id", "billing_creditrestore"),
    ("credituse", "transaction_id", "billing_ledgertransaction"),
    ("creditrestore", "invoice_line_id", "billing_invoiceline"),
    ("settlementrow", "use_id", "billing_credituse"),
)
DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp"

PRIVILEGES = """
REVOKE UPDATE, DELETE ON billing_creditlot, billing_vouchercap, billing_voucherapplication,
    billing_settlementrow FROM acp_app, acp_operator;
REVOKE INSERT ON billing_vouchercap FROM acp_app, acp_operator;
GRANT UPDATE (state, closed_at, closed_reason) ON billing_creditlot TO acp_app, acp_operator;
GRANT UPDATE (state, granted_amount, reason, submitted_at, reviewed_at, reviewed_by, decided_at,
    decided_by) ON billing_voucherapplication TO acp_app, acp_operator;
REVOKE INSERT, UPDATE, DELETE ON billing_voucherscheme FROM acp_app;
REVOKE UPDATE, DELETE ON billing_voucherscheme FROM acp_operator;
GRANT UPDATE (title_en, title_zh, issuer, notice, is_example, is_open, mode, share_domestic,
    share_other, cap_per_tenant_year, cap_per_contract, budget, is_one_per_contract,
    scope_services, excluded_services, eligible_pools, min_spend, needs_verification,
    needs_review, needs_unrelated, evidence, valid_days, valid_until, applications_from,
    applications_until, is_stackable, after_expiry, priority, package_quantity, package_meter)
    ON billing_voucherscheme TO acp_operator;
REVOKE ALL ON billing_settlementbatch FROM acp_app;
REVOKE UPDATE, DELETE ON billing_settlementbatch FROM acp_operator;
GRANT UPDATE (state, submitted_at, reviewed_at, decided_at, reference, reason)
    ON billing_settlementbatch TO acp_operator;
GRANT UPDATE (is_live) ON billing_settlementrow TO acp_operator;
"""

MOVES = f"""
-- Legal moves are the trigger's arguments, each "from>to".
CREATE FUNCTION billing_legal_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND NOT (OLD.state || '>' || NEW.state = ANY (TG_ARGV)) THEN
        RAISE EXCEPTION 'a row of % does not go from % to %', TG_TABLE_NAME, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_creditlot_moves BEFORE UPDATE ON billing_creditlot FOR EACH ROW
    EXECUTE FUNCTION billing_legal_move('issued>active', 'issued>expired', 'issued>revoked',
        'active>exhausted', 'active>expired', 'active>revoked', 'exhausted>active');
CREATE TRIGGER billing_voucherapplication_moves BEFORE UPDATE ON billing_voucherapplication
    FOR EACH ROW EXECUTE FUNCTION billing_legal_move('drafted>submitted', 'submitted>reviewed',
        'submitted>rejected', 'reviewed>granted', 'reviewed>rejected');
CREATE TRIGGER billing_settlementbatch_moves BEFORE UPDATE ON billing_settlementbatch
    FOR EACH ROW EXECUTE FUNCTION billing_legal_move('drafted>submitted', 'submitted>reviewed',
        'submitted>rejected', 'reviewed>paid', 'reviewed>rejected', 'paid>clawed_back');
ALTER TABLE billing_creditlot ADD CONSTRAINT billing_creditlot_state_says_remaining CHECK (
    (state <> 'exhausted' OR remaining = 0) AND (state NOT IN ('issued', 'active') OR remaining <> 0));
ALTER TABLE billing_creditlot ADD CONSTRAINT billing_creditlot_package_whole CHECK (
    kind <> 'package' OR face = trunc(face));

CREATE FUNCTION billing_creditlot_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.remaining := NEW.face;
    IF NEW.state NOT IN ('issued', 'active') THEN
        RAISE EXCEPTION 'a credit begins issued or active' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_creditlot_begins BEFORE INSERT ON billing_creditlot
    FOR EACH ROW EXECUTE FUNCTION billing_creditlot_begins();
CREATE FUNCTION billing_application_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'drafted' THEN
        RAISE EXCEPTION 'an application begins as a draft' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_voucherapplication_begins BEFORE INSERT ON billing_voucherapplication
    FOR EACH ROW EXECUTE FUNCTION billing_application_begins();
"""

CAPS = f"""
CREATE FUNCTION billing_voucher_committed(scheme_key uuid, tenant_key uuid, of_year smallint,
    more numeric) RETURNS void {DEFINER} AS $$
DECLARE
    in_year numeric;
    in_all numeric;
    scheme billing_voucherscheme;
BEGIN
    IF more = 0 THEN
        RETURN;
    END IF;
    INSERT INTO billing_vouchercap (id, tenant_id, scheme_id, year, committed)
        VALUES (gen_random_uuid(), tenant_key, scheme_key, of_year, 0) ON CONFLICT DO NOTHING;
    UPDATE billing_vouchercap SET committed = committed + more
        WHERE scheme_id = scheme_key AND tenant_id = tenant_key AND year = of_year
        RETURNING committed INTO in_year;
    UPDATE billing_voucherscheme SET committed = committed + more WHERE id = scheme_key
        RETURNING * INTO scheme;
    in_all := scheme.committed;
    IF more > 0 AND in_year > scheme.cap_per_tenant_year THEN
        RAISE EXCEPTION 'the year''s cap of the scheme is reached' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'billing_vouchercap_kept';
    END IF;
    IF more > 0 AND in_all > scheme.budget THEN
        RAISE EXCEPTION 'the budget of the scheme is reached' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'billing_voucherscheme_budget_kept';
    END IF;
END
$$;

CREATE FUNCTION billing_application_commits() RETURNS trigger {DEFINER} AS $$
DECLARE
    before numeric := 0;
    after numeric := CASE WHEN NEW.state IN ('submitted', 'reviewed') THEN NEW.amount ELSE 0 END;
    scheme billing_voucherscheme;
    of_contract numeric;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state IN ('submitted', 'reviewed') THEN
        before := OLD.amount;
    END IF;
    PERFORM billing_voucher_committed(NEW.scheme_id, NEW.tenant_id, NEW.cap_year, after - before);
    IF after <= before THEN
        RETURN NULL;
    END IF;
    -- The scheme's row is locked by now, so what is read here stands still.
    SELECT * INTO scheme FROM billing_voucherscheme WHERE id = NEW.scheme_id;
    IF scheme.is_one_per_contract AND EXISTS (
        SELECT FROM billing_voucherapplication other
        WHERE other.scheme_id = NEW.scheme_id AND other.tenant_id = NEW.tenant_id
            AND other.contract = NEW.contract AND other.id <> NEW.id
            AND other.state NOT IN ('drafted', 'rejected')
    ) THEN
        RAISE EXCEPTION 'one application for each contract' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'billing_voucherapplication_one_per_contract';
    END IF;
    SELECT sum(coalesce(granted_amount, amount)) INTO of_contract FROM billing_voucherapplication
        WHERE scheme_id = NEW.scheme_id AND tenant_id = NEW.tenant_id
            AND contract = NEW.contract AND state NOT IN ('drafted', 'rejected');
    IF of_contract > scheme.cap_per_contract THEN
        RAISE EXCEPTION 'the contract''s cap of the scheme is reached' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'billing_voucherapplication_contract_cap';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_voucherapplication_commits AFTER INSERT OR UPDATE
    ON billing_voucherapplication FOR EACH ROW EXECUTE FUNCTION billing_application_commits();

CREATE FUNCTION billing_lot_commits() RETURNS trigger {DEFINER} AS $$
DECLARE
    before numeric := 0;
    after numeric;
BEGIN
    IF NEW.scheme_id IS NULL THEN
        RETURN NULL;
    END IF;
    -- What may still be used counts whole; what has ended counts as far as it was used.
    after := CASE WHEN NEW.state IN ('issued', 'active', 'exhausted') THEN NEW.face
        ELSE NEW.face - NEW.remaining END;
    IF TG_OP = 'UPDATE' THEN
        before := CASE WHEN OLD.state IN ('issued', 'active', 'exhausted') THEN OLD.face
            ELSE OLD.face - OLD.remaining END;
    END IF;
    PERFORM billing_voucher_committed(NEW.scheme_id, NEW.tenant_id, NEW.cap_year, after - before);
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_creditlot_commits AFTER INSERT OR UPDATE ON billing_creditlot
    FOR EACH ROW EXECUTE FUNCTION billing_lot_commits();
"""

USES = f"""
CREATE FUNCTION billing_credit_used() RETURNS trigger {DEFINER} AS $$
DECLARE
    lot billing_creditlot;
    line billing_invoiceline;
    issued timestamptz;
    of_lot numeric;
    of_all numeric;
    back numeric;
BEGIN
    SELECT * INTO lot FROM billing_creditlot WHERE id = NEW.lot_id FOR UPDATE;
    SELECT * INTO line FROM billing_invoiceline WHERE id = NEW.invoice_line_id FOR UPDATE;
    SELECT issued_at INTO issued FROM billing_invoice WHERE id = line.invoice_id;
    IF NEW.kind <> 'restore' THEN
        IF lot.state <> 'active' THEN
            RAISE EXCEPTION 'only an active credit pays' USING ERRCODE = 'check_violation',
                CONSTRAINT = 'billing_credituse_active';
        END IF;
        IF (NEW.kind = 'claim') <> (lot.mode = 'reimburse') THEN
            RAISE EXCEPTION 'a reimbursed voucher is claimed, any other is used'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_credituse_mode';
        END IF;
        -- Overdue invoices are paid with money: a credit pays when the invoice is issued, or never.
        IF NEW.kind = 'use' AND NEW.used_at <> issued THEN
            RAISE EXCEPTION 'a credit pays when the invoice is issued'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_credituse_not_overdue';
        END IF;
        IF line.service_to <= lot.effective_at OR line.service_from >= lot.expires_at THEN
            RAISE EXCEPTION 'a credit pays for use of its own time'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_credituse_service_time';
        END IF;
    ELSE
        SELECT coalesce(sum(amount), 0) INTO back FROM billing_credituse
            WHERE restores_id = NEW.restores_id;
        IF NOT EXISTS (
            SELECT FROM billing_credituse used WHERE used.id = NEW.restores_id
                AND used.lot_id = NEW.lot_id AND used.invoice_line_id = NEW.invoice_line_id
                AND used.kind <> 'restore' AND used.amount + back >= 0
        ) THEN
            RAISE EXCEPTION 'no more is given back than was used'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_credituse_restore';
        END IF;
    END IF;
    UPDATE billing_creditlot SET remaining = remaining - NEW.amount,
        state = CASE
            WHEN state = 'active' AND remaining = NEW.amount THEN 'exhausted'
            WHEN state = 'exhausted' AND remaining - NEW.amount > 0 THEN 'active'
            ELSE state END
        WHERE id = NEW.lot_id;
    SELECT coalesce(sum(used.amount) FILTER (WHERE used.lot_id = NEW.lot_id), 0),
        coalesce(sum(used.amount), 0)
        INTO of_lot, of_all
        FROM billing_credituse used JOIN billing_creditlot its ON its.id = used.lot_id
        WHERE used.invoice_line_id = NEW.invoice_line_id
            AND (its.kind = 'package') = (lot.kind = 'package');
    IF lot.kind = 'package' THEN
        IF of_all > line.quantity THEN
            RAISE EXCEPTION 'packages cover no more of a line than was used'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_credituse_within_line';
        END IF;
    ELSIF of_all > line.gross OR (NEW.kind <> 'restore' AND of_lot > line.gross * NEW.share) THEN
        RAISE EXCEPTION 'credits pay no more of a line than it costs'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_credituse_within_line';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_credituse_used AFTER INSERT ON billing_credituse
    FOR EACH ROW EXECUTE FUNCTION billing_credit_used();
"""

SETTLEMENTS = f"""
CREATE FUNCTION billing_settlement_counts() RETURNS trigger {DEFINER} AS $$
DECLARE
    batch billing_settlementbatch;
BEGIN
    SELECT * INTO batch FROM billing_settlementbatch WHERE id = NEW.batch_id FOR UPDATE;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.is_live OR batch.state <> 'rejected' THEN
            RAISE EXCEPTION 'only a rejected batch lets go of its rows'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NULL;
    END IF;
    IF batch.state <> 'drafted' THEN
        RAISE EXCEPTION 'a batch takes rows while it is a draft'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (
        SELECT FROM billing_credituse used JOIN billing_creditlot lot ON lot.id = used.lot_id
        WHERE used.id = NEW.use_id AND used.amount = NEW.amount AND lot.scheme_id = batch.scheme_id
    ) THEN
        RAISE EXCEPTION 'a row states its use as it was' USING ERRCODE = 'check_violation';
    END IF;
    UPDATE billing_settlementbatch SET total = total + NEW.amount, row_count = row_count + 1
        WHERE id = NEW.batch_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_settlementrow_counts AFTER INSERT OR UPDATE ON billing_settlementrow
    FOR EACH ROW EXECUTE FUNCTION billing_settlement_counts();
CREATE FUNCTION billing_settlement_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.total := 0; NEW.row_count := 0;
    IF NEW.state <> 'drafted' THEN
        RAISE EXCEPTION 'a batch begins as a draft' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_settlementbatch_begins BEFORE INSERT ON billing_settlementbatch
    FOR EACH ROW EXECUTE FUNCTION billing_settlement_begins();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0011_credits"), ("tenants", "0002_walls")]

    operations = [
        *[walls.tenant_wall(f"billing_{table}") for table in TENANT_TABLES],
        *[walls.tenant_reference(f"billing_{t}", column, to) for t, column, to in REFERENCES],
        *[walls.owner_upkeep(f"billing_{table}") for table in TENANT_TABLES],
        *[walls.append_only(f"billing_{table}") for table in ("credituse", "creditrestore")],
        *[
            migrations.RunSQL(statement, migrations.RunSQL.noop)
            for statement in (PRIVILEGES, MOVES, CAPS, USES, SETTLEMENTS)
        ],
    ]
