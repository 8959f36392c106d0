"""What the database refuses around invoices: too much on a fapiao, too much credited."""

from django.db import migrations

from tenants import walls

TENANT_TABLES = (
    "taxprofile",
    "fapiao",
    "fapiaoline",
    "fapiaocover",
    "creditnote",
    "creditnoteline",
    "dispute",
    "adjustment",
    "invoicerunitem",
)
REFERENCES = (
    ("fapiao", "original_id", "billing_fapiao"),
    ("fapiaoline", "fapiao_id", "billing_fapiao"),
    ("fapiaocover", "fapiao_id", "billing_fapiao"),
    ("fapiaocover", "invoice_id", "billing_invoice"),
    ("fapiaocover", "top_up_id", "billing_ledgertransaction"),
    ("creditnote", "invoice_id", "billing_invoice"),
    ("creditnoteline", "credit_note_id", "billing_creditnote"),
    ("creditnoteline", "invoice_line_id", "billing_invoiceline"),
    ("dispute", "invoice_line_id", "billing_invoiceline"),
    ("dispute", "credit_note_id", "billing_creditnote"),
    ("adjustment", "invoice_line_id", "billing_invoiceline"),
    ("adjustment", "rebills_id", "billing_creditnoteline"),
    ("invoicerunitem", "invoice_id", "billing_invoice"),
)
FROZEN = ("fapiaoline", "fapiaocover", "creditnote", "creditnoteline")
DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp"

PRIVILEGES = """
REVOKE UPDATE, DELETE ON billing_fapiao, billing_taxprofile, billing_dispute, billing_adjustment,
    billing_invoicerunitem FROM acp_app, acp_operator;
GRANT UPDATE (state, exported_at, deadline_at, is_overdue, number, issued_at, pdf_reference,
    ofd_reference, delivered_at, failure, red_confirmation_number) ON billing_fapiao
    TO acp_app, acp_operator;
GRANT UPDATE (buyer_name, tax_number, address_phone, bank_account, kind, updated_at)
    ON billing_taxprofile TO acp_app, acp_operator;
GRANT UPDATE (basis) ON billing_taxprofile TO acp_operator;
GRANT UPDATE (state, answer, answered_at, answered_by, credit_note_id) ON billing_dispute
    TO acp_app, acp_operator;
GRANT UPDATE (state, decided_at, decided_by, decider_name, invoice_line_id) ON billing_adjustment
    TO acp_app, acp_operator;
GRANT UPDATE (state, net, tax, gross, line_count, last_gross, oddities, drafted_at, reviewed_at,
    reviewer_name, invoice_id, issued_at, failure_code, failure, attempts)
    ON billing_invoicerunitem TO acp_app, acp_operator;
REVOKE INSERT, UPDATE, DELETE ON billing_invoicerun FROM acp_app;
"""

FAPIAO = f"""
-- What vouchers paid of an invoice. Whoever makes vouchers pay replaces this one function.
CREATE FUNCTION billing_voucher_covered(invoice_key uuid) RETURNS numeric
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(used.amount), 0) FROM billing_credituse used
    JOIN billing_creditlot lot ON lot.id = used.lot_id AND lot.kind <> 'package'
    JOIN billing_invoiceline line ON line.id = used.invoice_line_id
    LEFT JOIN billing_credituse undone ON undone.id = used.restores_id
    WHERE line.invoice_id = invoice_key AND (used.kind = 'use' OR undone.kind = 'use')
$$;
CREATE FUNCTION billing_invoice_credited(invoice_key uuid) RETURNS numeric
LANGUAGE sql STABLE AS
$$ SELECT coalesce(sum(gross), 0) FROM billing_creditnote WHERE invoice_id = invoice_key $$;
CREATE FUNCTION billing_topup_amount(movement uuid) RETURNS numeric
LANGUAGE sql STABLE AS $$
    SELECT coalesce(-sum(entry.amount), 0) FROM billing_ledgerentry entry
    JOIN billing_ledgeraccount side ON side.id = entry.account_id AND side.kind = 'wallet'
    WHERE entry.transaction_id = movement
$$;
-- What stands on fapiao, of an invoice or of a top-up: blue ones from the day they are asked for,
-- red ones from the day they are issued.
CREATE FUNCTION billing_fapiao_covered(thing uuid) RETURNS numeric
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(cover.amount), 0) FROM billing_fapiaocover cover
    JOIN billing_fapiao letter ON letter.id = cover.fapiao_id
    WHERE (cover.invoice_id = thing OR cover.top_up_id = thing)
        AND ((letter.direction = 'blue' AND letter.state <> 'failed')
            OR letter.state = 'red_issued')
$$;

CREATE FUNCTION billing_fapiaocover_within() RETURNS trigger {DEFINER} AS $$
BEGIN
    -- Whoever covers the same money waits here, and then sees what the other has taken.
    PERFORM FROM billing_invoice WHERE id IN (SELECT invoice_id FROM fresh)
        ORDER BY id FOR UPDATE;
    PERFORM FROM billing_ledgertransaction WHERE id IN (SELECT top_up_id FROM fresh)
        ORDER BY id FOR UPDATE;
    PERFORM FROM billing_taxprofile WHERE tenant_id IN (SELECT tenant_id FROM fresh)
        ORDER BY id FOR UPDATE;
    IF EXISTS (
        SELECT FROM fresh JOIN billing_fapiao letter ON letter.id = fresh.fapiao_id
        WHERE (letter.basis = 'on_topup') <> (fresh.top_up_id IS NOT NULL)
            OR (letter.direction = 'blue') <> (fresh.amount > 0)
    ) OR EXISTS (
        SELECT FROM billing_fapiaocover cover
        JOIN billing_fapiao letter ON letter.id = cover.fapiao_id AND (
            (letter.direction = 'blue' AND letter.state <> 'failed')
            OR letter.state = 'red_issued')
        WHERE cover.tenant_id IN (SELECT tenant_id FROM fresh)
        GROUP BY cover.tenant_id
        HAVING coalesce(sum(cover.amount) FILTER (WHERE cover.invoice_id IS NOT NULL), 0) <> 0
            AND coalesce(sum(cover.amount) FILTER (WHERE cover.top_up_id IS NOT NULL), 0) <> 0
    ) THEN
        RAISE EXCEPTION 'a tenant''s fapiao stand for one thing'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_fapiao_one_basis';
    END IF;
    IF EXISTS (
        SELECT FROM billing_invoice invoice
        WHERE invoice.id IN (SELECT invoice_id FROM fresh WHERE amount > 0)
            AND billing_fapiao_covered(invoice.id) > invoice.gross
                - billing_voucher_covered(invoice.id) - billing_invoice_credited(invoice.id)
    ) OR EXISTS (
        SELECT FROM fresh JOIN billing_ledgertransaction movement ON movement.id = fresh.top_up_id
        WHERE fresh.amount > 0 AND (movement.kind <> 'top_up'
            OR billing_fapiao_covered(movement.id) > billing_topup_amount(movement.id))
    ) THEN
        RAISE EXCEPTION 'a fapiao stands for money that is there, once'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_fapiao_within_invoiceable';
    END IF;
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT letter.original_id, fresh.invoice_id, fresh.top_up_id
                FROM fresh JOIN billing_fapiao letter ON letter.id = fresh.fapiao_id
                WHERE letter.direction = 'red') touched
        WHERE 0 > (
            SELECT coalesce(sum(cover.amount), 0) FROM billing_fapiaocover cover
            JOIN billing_fapiao letter ON letter.id = cover.fapiao_id
            WHERE (letter.id = touched.original_id OR (letter.original_id = touched.original_id
                    AND letter.state <> 'failed'))
                AND (cover.invoice_id = touched.invoice_id OR cover.top_up_id = touched.top_up_id))
    ) THEN
        RAISE EXCEPTION 'a red letter takes back what its original stands for'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_fapiao_red_within';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_fapiaocover_within AFTER INSERT ON billing_fapiaocover
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT
    EXECUTE FUNCTION billing_fapiaocover_within();

CREATE FUNCTION billing_fapiao_whole() RETURNS trigger {DEFINER} AS $$
DECLARE
    letter uuid;
BEGIN
    IF TG_TABLE_NAME = 'billing_fapiao' THEN
        letter := NEW.id;
    ELSE
        letter := NEW.fapiao_id;
    END IF;
    IF EXISTS (
        SELECT FROM billing_fapiao whole
        CROSS JOIN LATERAL (
            SELECT sum(net) AS net, sum(tax) AS tax, sum(gross) AS gross
            FROM billing_fapiaoline WHERE fapiao_id = whole.id
        ) said
        CROSS JOIN LATERAL (
            SELECT sum(amount) AS gross FROM billing_fapiaocover WHERE fapiao_id = whole.id
        ) covered
        WHERE whole.id = letter AND (whole.net IS DISTINCT FROM said.net
            OR whole.tax IS DISTINCT FROM said.tax OR whole.gross IS DISTINCT FROM said.gross
            OR whole.gross IS DISTINCT FROM covered.gross)
    ) THEN
        RAISE EXCEPTION 'a fapiao is the sum of its lines and of what it covers'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_fapiao_whole';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER billing_fapiao_whole AFTER INSERT ON billing_fapiao
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_fapiao_whole();
CREATE CONSTRAINT TRIGGER billing_fapiaoline_whole AFTER INSERT ON billing_fapiaoline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_fapiao_whole();
CREATE CONSTRAINT TRIGGER billing_fapiaocover_whole AFTER INSERT ON billing_fapiaocover
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_fapiao_whole();

CREATE FUNCTION billing_fapiao_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IS DISTINCT FROM NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('requested', 'issuing'), ('requested', 'failed'), ('issuing', 'issued'),
        ('issuing', 'failed'), ('issued', 'delivered'), ('red_pending', 'red_issued'),
        ('red_pending', 'failed')
    ) THEN
        RAISE EXCEPTION 'a fapiao does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.number <> '' AND (OLD.number, OLD.issued_at) IS DISTINCT FROM
        (NEW.number, NEW.issued_at) THEN
        RAISE EXCEPTION 'an issued fapiao keeps its number' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_fapiao_moves BEFORE UPDATE ON billing_fapiao
    FOR EACH ROW EXECUTE FUNCTION billing_fapiao_moves();
CREATE FUNCTION billing_fapiao_starts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.direction = 'blue') <> (NEW.state = 'requested')
        OR (NEW.direction = 'red') <> (NEW.state = 'red_pending') THEN
        RAISE EXCEPTION 'a fapiao begins as a request' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_fapiao_starts BEFORE INSERT ON billing_fapiao
    FOR EACH ROW EXECUTE FUNCTION billing_fapiao_starts();
"""

NOTES = f"""
CREATE FUNCTION billing_creditnote_follows() RETURNS trigger {DEFINER} AS $$
DECLARE
    last_sequence integer;
    last_hash text;
    owed numeric;
    paid numeric;
BEGIN
    SELECT sequence, content_hash INTO last_sequence, last_hash FROM billing_creditnote
        WHERE issuer = NEW.issuer AND year = NEW.year ORDER BY sequence DESC LIMIT 1;
    IF NEW.sequence <> coalesce(last_sequence, 0) + 1
        OR NEW.previous_hash <> coalesce(last_hash, '') THEN
        RAISE EXCEPTION 'a credit note takes the next number' USING ERRCODE = 'check_violation';
    END IF;
    SELECT gross INTO owed FROM billing_invoice WHERE id = NEW.invoice_id FOR UPDATE;
    SELECT coalesce(sum(amount), 0) INTO paid FROM billing_invoicepayment
        WHERE invoice_id = NEW.invoice_id;
    IF EXISTS (
        SELECT FROM billing_creditnote WHERE invoice_id = NEW.invoice_id
        HAVING coalesce(sum(from_due), 0) + NEW.from_due + paid > owed
            OR coalesce(sum(to_wallet), 0) + NEW.to_wallet > paid
    ) THEN
        RAISE EXCEPTION 'a credit note gives back what is owed or was paid, once'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_creditnote_within_invoice';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_creditnote_follows BEFORE INSERT ON billing_creditnote
    FOR EACH ROW EXECUTE FUNCTION billing_creditnote_follows();

CREATE FUNCTION billing_creditnoteline_within() RETURNS trigger {DEFINER} AS $$
BEGIN
    PERFORM FROM billing_invoice WHERE id IN (
        SELECT note.invoice_id FROM fresh JOIN billing_creditnote note
            ON note.id = fresh.credit_note_id
    ) ORDER BY id FOR UPDATE;
    IF EXISTS (
        SELECT FROM fresh
        JOIN billing_creditnote note ON note.id = fresh.credit_note_id
        JOIN billing_invoiceline line ON line.id = fresh.invoice_line_id
        WHERE line.invoice_id <> note.invoice_id
    ) THEN
        RAISE EXCEPTION 'a credit note is of the lines of one invoice'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_creditnoteline_of_invoice';
    END IF;
    IF EXISTS (
        SELECT FROM billing_invoiceline line
        JOIN LATERAL (
            SELECT sum(net) AS net, sum(tax) AS tax, sum(gross) AS gross,
                bool_and(gross * sign(line.gross) >= 0 AND net * sign(line.gross) >= 0
                    AND tax * sign(line.gross) >= 0) AS same_sign
            FROM billing_creditnoteline WHERE invoice_line_id = line.id
        ) taken ON true
        WHERE line.id IN (SELECT invoice_line_id FROM fresh) AND (
            NOT taken.same_sign OR abs(taken.gross) > abs(line.gross)
            OR abs(taken.net) > abs(line.net) OR abs(taken.tax) > abs(line.tax))
    ) THEN
        RAISE EXCEPTION 'no line is credited twice'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_creditnoteline_within_line';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_creditnoteline_within AFTER INSERT ON billing_creditnoteline
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT
    EXECUTE FUNCTION billing_creditnoteline_within();

CREATE FUNCTION billing_creditnote_whole() RETURNS trigger {DEFINER} AS $$
DECLARE
    document uuid;
BEGIN
    IF TG_TABLE_NAME = 'billing_creditnote' THEN
        document := NEW.id;
    ELSE
        document := NEW.credit_note_id;
    END IF;
    IF EXISTS (
        SELECT FROM billing_creditnote note
        CROSS JOIN LATERAL (
            SELECT count(*) AS lines, sum(net) AS net, sum(tax) AS tax, sum(gross) AS gross
            FROM billing_creditnoteline WHERE credit_note_id = note.id
        ) said
        WHERE note.id = document AND (note.line_count <> said.lines
            OR note.net IS DISTINCT FROM said.net OR note.tax IS DISTINCT FROM said.tax
            OR note.gross IS DISTINCT FROM said.gross)
    ) THEN
        RAISE EXCEPTION 'a credit note is the sum of its lines'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_creditnote_whole';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER billing_creditnote_whole AFTER INSERT ON billing_creditnote
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_creditnote_whole();
CREATE CONSTRAINT TRIGGER billing_creditnoteline_whole AFTER INSERT ON billing_creditnoteline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_creditnote_whole();

-- A line of an adjustment says what was agreed to, and each adjustment stands on one line.
CREATE FUNCTION billing_adjustment_line() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF EXISTS (
        SELECT FROM billing_invoiceline line
        LEFT JOIN billing_adjustment adjustment ON adjustment.invoice_line_id = line.id
            AND adjustment.net = line.net AND adjustment.tax_code = line.tax_code
        WHERE line.id = NEW.id AND line.kind = 'adjustment' AND adjustment.id IS NULL
    ) THEN
        RAISE EXCEPTION 'a line of this kind stands for an adjustment that was agreed to'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_adjustment_line';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER billing_adjustment_line AFTER INSERT ON billing_invoiceline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'adjustment')
    EXECUTE FUNCTION billing_adjustment_line();

-- What a credit note took off is not paid any more.
CREATE OR REPLACE FUNCTION billing_payment_within() RETURNS trigger {DEFINER} AS $$
DECLARE
    paid numeric;
BEGIN
    PERFORM FROM billing_invoice invoice WHERE invoice.id = NEW.invoice_id FOR UPDATE;
    SELECT sum(amount) INTO paid FROM billing_invoicepayment WHERE invoice_id = NEW.invoice_id;
    IF paid < 0 OR paid > (SELECT gross FROM billing_invoice WHERE id = NEW.invoice_id)
        - (SELECT coalesce(sum(from_due), 0) FROM billing_creditnote
            WHERE invoice_id = NEW.invoice_id) THEN
        RAISE EXCEPTION 'an invoice is paid once' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0014_bills")]

    operations = [
        *[walls.tenant_wall(f"billing_{table}") for table in TENANT_TABLES],
        *[walls.tenant_reference(f"billing_{t}", column, to) for t, column, to in REFERENCES],
        *[walls.owner_upkeep(f"billing_{table}") for table in TENANT_TABLES],
        *[walls.append_only(f"billing_{table}") for table in FROZEN],
        *[
            migrations.RunSQL(statement, migrations.RunSQL.noop)
            for statement in (PRIVILEGES, FAPIAO, NOTES)
        ],
    ]
