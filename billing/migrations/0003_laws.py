"""What the database refuses by itself: foreign rows, unbalanced money, changed documents."""

from django.db import migrations

from tenants import walls

TENANT_TABLES = (
    "series",
    "usagebatch",
    "rejectedevent",
    "account",
    "ledgeraccount",
    "ledgertransaction",
    "ledgerentry",
    "hold",
    "invoice",
    "invoiceline",
    "allocation",
    "invoicepayment",
)
# The functions below run as the owner, who obeys forced row security like anyone else.
UPKEPT = (
    "account",
    "ledgeraccount",
    "ledgertransaction",
    "ledgerentry",
    "hold",
    "invoice",
    "invoiceline",
    "allocation",
    "invoicepayment",
    "usagebucket",
)
REFERENCES = (
    ("series", "project_id", "tenants_project"),
    ("usagebucket", "series_id", "billing_series"),
    ("ledgerentry", "transaction_id", "billing_ledgertransaction"),
    ("ledgerentry", "account_id", "billing_ledgeraccount"),
    ("invoiceline", "invoice_id", "billing_invoice"),
    ("invoiceline", "project_id", "tenants_project"),
    ("allocation", "series_id", "billing_series"),
    ("invoicepayment", "invoice_id", "billing_invoice"),
    ("invoicepayment", "transaction_id", "billing_ledgertransaction"),
)
DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp"

PRIVILEGES = """
REVOKE UPDATE, DELETE ON billing_series, billing_usagebatch, billing_usagebucket,
    billing_account, billing_ledgeraccount, billing_ledgertransaction, billing_hold
    FROM acp_app, acp_operator;
GRANT UPDATE (quantity, events) ON billing_usagebucket TO acp_app, acp_operator;
GRANT UPDATE (credit_limit, unbilled, accrued_at, accrued_xmin) ON billing_account
    TO acp_app, acp_operator;
GRANT UPDATE (amount, state, expires_at, updated_at) ON billing_hold TO acp_app, acp_operator;
REVOKE INSERT, UPDATE, DELETE ON billing_priceversion, billing_price, billing_taxrate FROM acp_app;
"""

PRICES = f"""
CREATE FUNCTION billing_price_frozen() RETURNS trigger {DEFINER} AS $$
DECLARE
    frozen boolean;
BEGIN
    IF TG_TABLE_NAME = 'billing_priceversion' THEN
        frozen := OLD.state = 'published';
    ELSIF TG_OP = 'INSERT' THEN
        SELECT state = 'published' INTO frozen FROM billing_priceversion WHERE id = NEW.version_id
            FOR SHARE;
    ELSE
        SELECT state = 'published' INTO frozen FROM billing_priceversion WHERE id = OLD.version_id
            FOR SHARE;
    END IF;
    IF frozen THEN
        RAISE EXCEPTION 'a published price list does not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER billing_priceversion_frozen BEFORE UPDATE OR DELETE ON billing_priceversion
    FOR EACH ROW EXECUTE FUNCTION billing_price_frozen();
CREATE TRIGGER billing_price_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_price
    FOR EACH ROW EXECUTE FUNCTION billing_price_frozen();
ALTER TABLE billing_priceversion ADD CONSTRAINT billing_priceversion_whole_hour
    CHECK (date_trunc('hour', effective_at, 'UTC') = effective_at);
ALTER TABLE billing_taxrate ADD CONSTRAINT billing_taxrate_whole_hour CHECK (
    (lower(during) IS NULL OR date_trunc('hour', lower(during), 'UTC') = lower(during))
    AND (upper(during) IS NULL OR date_trunc('hour', upper(during), 'UTC') = upper(during))
    AND NOT isempty(during));
-- Core PostgreSQL has no equality for text in an exclusion constraint; a range of one point has
-- overlap. Two codes with one hash could at worst be refused, never overlap.
ALTER TABLE billing_taxrate ADD CONSTRAINT billing_taxrate_no_overlap EXCLUDE USING gist (
    int8range(hashtext(tax_code)::bigint, hashtext(tax_code)::bigint, '[]') WITH &&,
    during WITH &&);
"""

LEDGER = f"""
CREATE FUNCTION billing_starts_at_zero() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'billing_account' THEN
        NEW.wallet := 0; NEW.receivable := 0; NEW.held := 0;
    ELSE
        NEW.balance := 0;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_account_starts_at_zero BEFORE INSERT ON billing_account
    FOR EACH ROW EXECUTE FUNCTION billing_starts_at_zero();
CREATE TRIGGER billing_ledgeraccount_starts_at_zero BEFORE INSERT ON billing_ledgeraccount
    FOR EACH ROW EXECUTE FUNCTION billing_starts_at_zero();

CREATE FUNCTION billing_ledger_balanced() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh GROUP BY transaction_id
        HAVING min(line) <> 1 OR max(line) <> count(*) OR count(*) < 2
    ) OR EXISTS (
        SELECT FROM billing_ledgerentry entry
        JOIN (SELECT transaction_id, count(*) AS legs FROM fresh GROUP BY 1) whole
            USING (transaction_id)
        GROUP BY transaction_id, legs HAVING count(*) <> legs
    ) THEN
        RAISE EXCEPTION 'a ledger transaction is written whole, in one statement'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
        SELECT FROM fresh JOIN billing_ledgeraccount account ON account.id = fresh.account_id
        GROUP BY fresh.transaction_id, account.currency HAVING sum(fresh.amount) <> 0
    ) THEN
        RAISE EXCEPTION 'a ledger transaction sums to zero' USING ERRCODE = 'check_violation';
    END IF;
    UPDATE billing_ledgeraccount account SET balance = balance + moved.amount
        FROM (SELECT account_id, sum(amount) AS amount FROM fresh GROUP BY 1) moved
        WHERE account.id = moved.account_id;
    UPDATE billing_account account
        SET wallet = account.wallet - moved.wallet,
            receivable = account.receivable + moved.receivable
        FROM (
            SELECT fresh.tenant_id,
                coalesce(sum(amount) FILTER (WHERE kind = 'wallet'), 0) AS wallet,
                coalesce(sum(amount) FILTER (WHERE kind = 'receivable'), 0) AS receivable
            FROM fresh JOIN billing_ledgeraccount side ON side.id = fresh.account_id
            GROUP BY 1
        ) moved
        WHERE account.tenant_id = moved.tenant_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_ledgerentry_balanced AFTER INSERT ON billing_ledgerentry
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION billing_ledger_balanced();

CREATE FUNCTION billing_ledger_not_empty() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM billing_ledgerentry WHERE transaction_id = NEW.id) THEN
        RAISE EXCEPTION 'a ledger transaction has entries' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER billing_ledgertransaction_not_empty AFTER INSERT
    ON billing_ledgertransaction DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION billing_ledger_not_empty();

CREATE FUNCTION billing_hold_funds() RETURNS trigger {DEFINER} AS $$
DECLARE
    before numeric := 0;
    after numeric := CASE WHEN NEW.state = 'active' THEN NEW.amount ELSE 0 END;
    remaining numeric;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'active' THEN
        before := OLD.amount;
    END IF;
    IF after = before THEN
        RETURN NEW;
    END IF;
    UPDATE billing_account SET held = held + after - before WHERE tenant_id = NEW.tenant_id
        RETURNING wallet - receivable + credit_limit - held - unbilled INTO remaining;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a hold needs an account' USING ERRCODE = 'check_violation';
    END IF;
    IF after > before AND remaining < 0 THEN
        RAISE EXCEPTION 'the hold exceeds the available funds' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'billing_hold_within_funds';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_hold_within_funds BEFORE INSERT OR UPDATE ON billing_hold
    FOR EACH ROW EXECUTE FUNCTION billing_hold_funds();
"""

INVOICES = f"""
CREATE FUNCTION billing_point(id uuid) RETURNS int8range
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT int8range(uuid_hash_extended(id, 0) >> 1, uuid_hash_extended(id, 0) >> 1, '[]') $$;
ALTER TABLE billing_invoice ADD CONSTRAINT billing_invoice_no_overlap EXCLUDE USING gist (
    billing_point(tenant_id) WITH &&, tstzrange(period_start, period_end) WITH &&);

CREATE FUNCTION billing_invoice_follows() RETURNS trigger {DEFINER} AS $$
DECLARE
    previous_end timestamptz;
    last_sequence integer;
    last_hash text;
BEGIN
    SELECT max(period_end) INTO previous_end FROM billing_invoice WHERE tenant_id = NEW.tenant_id;
    IF previous_end IS NOT NULL AND previous_end <> NEW.period_start THEN
        RAISE EXCEPTION 'an invoice starts where the last one ended'
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT sequence, content_hash INTO last_sequence, last_hash FROM billing_invoice
        WHERE issuer = NEW.issuer AND year = NEW.year ORDER BY sequence DESC LIMIT 1;
    IF NEW.sequence <> coalesce(last_sequence, 0) + 1
        OR NEW.previous_hash <> coalesce(last_hash, '') THEN
        RAISE EXCEPTION 'an invoice takes the next number' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_invoice_follows BEFORE INSERT ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION billing_invoice_follows();

CREATE FUNCTION billing_invoice_whole(invoice_key uuid) RETURNS void {DEFINER} AS $$
BEGIN
    IF EXISTS (
        SELECT FROM billing_invoice invoice
        LEFT JOIN LATERAL (
            SELECT count(*) AS lines, coalesce(sum(net), 0) AS net, coalesce(sum(tax), 0) AS tax,
                coalesce(sum(gross), 0) AS gross
            FROM billing_invoiceline WHERE invoice_id = invoice.id
        ) sums ON true
        WHERE invoice.id = invoice_key AND (
            invoice.line_count <> sums.lines OR invoice.net <> sums.net
            OR invoice.tax <> sums.tax OR invoice.gross <> sums.gross)
    ) THEN
        RAISE EXCEPTION 'an invoice is the sum of its lines' USING ERRCODE = 'check_violation';
    END IF;
END
$$;
CREATE FUNCTION billing_invoice_sum() RETURNS trigger {DEFINER} AS $$
BEGIN
    PERFORM billing_invoice_whole(NEW.id);
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER billing_invoice_sum AFTER INSERT ON billing_invoice
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_invoice_sum();

CREATE FUNCTION billing_invoiceline_sum() RETURNS trigger {DEFINER} AS $$
BEGIN
    PERFORM billing_invoice_whole(invoice_id) FROM (SELECT DISTINCT invoice_id FROM fresh) touched;
    IF EXISTS (
        SELECT FROM fresh LEFT JOIN billing_allocation piece ON piece.line_id = fresh.id
        GROUP BY fresh.id, fresh.quantity HAVING coalesce(sum(piece.quantity), 0) <> fresh.quantity
    ) THEN
        RAISE EXCEPTION 'a line is the sum of the bucket hours behind it'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_invoiceline_sum AFTER INSERT ON billing_invoiceline
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION billing_invoiceline_sum();

-- An allocation is written before its line, so its reference is looked at when the transaction ends.
ALTER TABLE billing_allocation ADD CONSTRAINT billing_allocation_line_tenant_fk
    FOREIGN KEY (tenant_id, line_id) REFERENCES billing_invoiceline (tenant_id, id)
    DEFERRABLE INITIALLY DEFERRED;
CREATE FUNCTION billing_allocation_bills() RETURNS trigger {DEFINER} AS $$
DECLARE
    wanted bigint;
    found_rows bigint;
BEGIN
    IF EXISTS (SELECT FROM fresh JOIN billing_invoiceline line ON line.id = fresh.line_id) THEN
        RAISE EXCEPTION 'an issued line takes no more usage' USING ERRCODE = 'restrict_violation';
    END IF;
    SELECT count(*) INTO wanted FROM (SELECT DISTINCT series_id, hour FROM fresh) pieces;
    -- The bucket's own check refuses more than was used.
    UPDATE billing_usagebucket bucket SET billed_quantity = billed_quantity + piece.quantity
        FROM (SELECT tenant_id, series_id, hour, sum(quantity) AS quantity FROM fresh
              GROUP BY 1, 2, 3) piece
        WHERE bucket.series_id = piece.series_id AND bucket.hour = piece.hour
            AND bucket.tenant_id = piece.tenant_id;
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    IF found_rows <> wanted THEN
        RAISE EXCEPTION 'an allocation names a bucket' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_allocation_bills AFTER INSERT ON billing_allocation
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION billing_allocation_bills();

CREATE FUNCTION billing_payment_within() RETURNS trigger {DEFINER} AS $$
BEGIN
    PERFORM FROM billing_invoice invoice WHERE invoice.id = NEW.invoice_id FOR UPDATE;
    IF (SELECT sum(amount) FROM billing_invoicepayment WHERE invoice_id = NEW.invoice_id)
        > (SELECT gross FROM billing_invoice WHERE id = NEW.invoice_id) THEN
        RAISE EXCEPTION 'an invoice is paid once' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_invoicepayment_within AFTER INSERT ON billing_invoicepayment
    FOR EACH ROW EXECUTE FUNCTION billing_payment_within();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_partitions"), ("tenants", "0002_walls")]

    operations = [
        *[walls.tenant_wall(f"billing_{table}") for table in TENANT_TABLES],
        # A bucket is known by its series and hour and has no id of its own to pair.
        migrations.RunSQL(
            f"""
            ALTER TABLE billing_usagebucket ENABLE ROW LEVEL SECURITY;
            ALTER TABLE billing_usagebucket FORCE ROW LEVEL SECURITY;
            CREATE POLICY tenant_wall ON billing_usagebucket TO acp_app
                USING (tenant_id = {walls.CURRENT_TENANT})
                WITH CHECK (tenant_id = {walls.CURRENT_TENANT});
            CREATE POLICY operator_view ON billing_usagebucket TO acp_operator
                USING (true) WITH CHECK (true);
            """,
            migrations.RunSQL.noop,
        ),
        *[walls.tenant_reference(f"billing_{t}", column, to) for t, column, to in REFERENCES],
        *[walls.owner_upkeep(f"billing_{table}") for table in UPKEPT],
        *[
            walls.append_only(f"billing_{table}")
            for table in (
                "rejectedevent",
                "ledgerentry",
                "invoice",
                "invoiceline",
                "allocation",
                "invoicepayment",
            )
        ],
        *[
            migrations.RunSQL(statement, migrations.RunSQL.noop)
            for statement in (PRIVILEGES, PRICES, LEDGER, INVOICES)
        ],
    ]
