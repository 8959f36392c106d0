"""Money leaves a wallet and debts end where two people agree; the database keeps to what is there."""

import common.ids
import django.db.models.deletion
from django.db import migrations, models
from tenants import walls

TABLE = "billing_moneydecision"
REFERENCES = (
    ("top_up_id", "billing_ledgertransaction"),
    ("invoice_id", "billing_invoice"),
    ("write_off_id", "billing_moneydecision"),
    ("transaction_id", "billing_ledgertransaction"),
)
DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp"

BEGINS = """
REVOKE INSERT, UPDATE, DELETE ON billing_moneydecision FROM acp_app;
REVOKE UPDATE, DELETE ON billing_moneydecision FROM acp_operator;
GRANT UPDATE (state, transaction_id, decided_at, decided_by_id, decided_by)
    ON billing_moneydecision TO acp_operator;

CREATE FUNCTION billing_moneydecision_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'proposed' OR NEW.decided_at IS NOT NULL OR NEW.decided_by_id IS NOT NULL THEN
        RAISE EXCEPTION 'a decision about money begins as a proposal'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_moneydecision_begins';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_moneydecision_begins BEFORE INSERT ON billing_moneydecision
    FOR EACH ROW EXECUTE FUNCTION billing_moneydecision_begins();
CREATE TRIGGER billing_moneydecision_moves BEFORE UPDATE ON billing_moneydecision
    FOR EACH ROW EXECUTE FUNCTION billing_legal_move('proposed>done', 'proposed>rejected');
CREATE FUNCTION billing_moneydecision_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'proposed' OR ROW(NEW.kind, NEW.amount, NEW.reason, NEW.reference,
            NEW.top_up_id, NEW.invoice_id, NEW.write_off_id, NEW.proposed_at, NEW.proposed_by_id,
            NEW.proposed_by)
        IS DISTINCT FROM ROW(OLD.kind, OLD.amount, OLD.reason, OLD.reference,
            OLD.top_up_id, OLD.invoice_id, OLD.write_off_id, OLD.proposed_at, OLD.proposed_by_id,
            OLD.proposed_by) THEN
        RAISE EXCEPTION 'what was proposed is decided once, as it stands'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_moneydecision_stays BEFORE UPDATE ON billing_moneydecision
    FOR EACH ROW EXECUTE FUNCTION billing_moneydecision_stays();
"""

# A fapiao for a top-up, and what is left of it: one function says how much of it is there.
TOP_UPS = """
CREATE OR REPLACE FUNCTION billing_topup_amount(movement uuid) RETURNS numeric
LANGUAGE sql STABLE AS $$
    SELECT coalesce(-sum(entry.amount), 0) - coalesce((
        SELECT sum(amount) FROM billing_moneydecision
        WHERE top_up_id = movement AND state = 'done'
    ), 0)
    FROM billing_ledgerentry entry
    JOIN billing_ledgeraccount side ON side.id = entry.account_id AND side.kind = 'wallet'
    WHERE entry.transaction_id = movement
$$;
"""
NO_REVERSALS = """
CREATE OR REPLACE FUNCTION billing_topup_amount(movement uuid) RETURNS numeric
LANGUAGE sql STABLE AS $$
    SELECT coalesce(-sum(entry.amount), 0) FROM billing_ledgerentry entry
    JOIN billing_ledgeraccount side ON side.id = entry.account_id AND side.kind = 'wallet'
    WHERE entry.transaction_id = movement
$$;
"""

BOOKED = f"""
-- The account first, as everybody who takes money; the row is locked here even where the command
-- forgot to.
CREATE FUNCTION billing_moneydecision_wallet(decision billing_moneydecision) RETURNS void
{DEFINER} AS $$
DECLARE
    free numeric;
BEGIN
    SELECT wallet - receivable - held - unbilled INTO free FROM billing_account
        WHERE tenant_id = decision.tenant_id FOR UPDATE;
    -- The movement is booked already, so this is what it leaves. A credit limit is nobody's money,
    -- and is not paid out.
    IF decision.kind IN ('pay_out', 'write_off_recovery') AND free < 0 THEN
        RAISE EXCEPTION 'only what is free leaves a wallet'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_moneydecision_within_free';
    END IF;
    IF decision.kind = 'top_up_reversal' THEN
        PERFORM FROM billing_ledgertransaction WHERE id = decision.top_up_id FOR UPDATE;
        IF billing_topup_amount(decision.top_up_id) < 0 OR NOT EXISTS (
            SELECT FROM billing_ledgertransaction WHERE id = decision.top_up_id AND kind = 'top_up'
        ) THEN
            RAISE EXCEPTION 'of a top-up as much is taken back as was paid in'
                USING ERRCODE = 'check_violation',
                    CONSTRAINT = 'billing_moneydecision_within_top_up';
        END IF;
        IF billing_fapiao_covered(decision.top_up_id)
            > billing_topup_amount(decision.top_up_id) THEN
            RAISE EXCEPTION 'a fapiao stands for this top-up'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_moneydecision_no_fapiao';
        END IF;
    END IF;
    IF decision.kind = 'pay_out' AND (
        SELECT coalesce(sum(cover.amount), 0) FROM billing_fapiaocover cover
        JOIN billing_fapiao letter ON letter.id = cover.fapiao_id AND (
            (letter.direction = 'blue' AND letter.state <> 'failed')
            OR letter.state = 'red_issued')
        WHERE cover.tenant_id = decision.tenant_id AND cover.top_up_id IS NOT NULL
    ) > (
        SELECT coalesce(sum(billing_topup_amount(id)), 0) FROM billing_ledgertransaction
        WHERE tenant_id = decision.tenant_id AND kind = 'top_up'
    ) - (
        SELECT coalesce(sum(amount), 0) FROM billing_moneydecision
        WHERE tenant_id = decision.tenant_id AND kind = 'pay_out' AND state = 'done'
    ) THEN
        RAISE EXCEPTION 'a fapiao stands for what would be paid back'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_moneydecision_no_fapiao';
    END IF;
END
$$;

CREATE FUNCTION billing_moneydecision_debt(decision billing_moneydecision) RETURNS void
{DEFINER} AS $$
BEGIN
    IF decision.kind = 'write_off' THEN
        PERFORM FROM billing_invoice WHERE id = decision.invoice_id FOR UPDATE;
        IF decision.amount > (
            SELECT invoice.gross
                - coalesce((SELECT sum(amount) FROM billing_invoicepayment
                    WHERE invoice_id = invoice.id), 0)
                - coalesce((SELECT sum(from_due) FROM billing_creditnote
                    WHERE invoice_id = invoice.id), 0)
            FROM billing_invoice invoice WHERE invoice.id = decision.invoice_id
        ) THEN
            RAISE EXCEPTION 'what is open of an invoice is written off, once'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_moneydecision_within_due';
        END IF;
        IF NOT EXISTS (
            SELECT FROM billing_invoicedue
            WHERE invoice_id = decision.invoice_id AND due_at <= decision.decided_at
        ) THEN
            RAISE EXCEPTION 'an invoice is written off after it was due'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_moneydecision_overdue';
        END IF;
    ELSIF decision.kind = 'write_off_recovery' THEN
        PERFORM FROM billing_moneydecision WHERE id = decision.write_off_id FOR UPDATE;
        IF NOT EXISTS (
            SELECT FROM billing_moneydecision lost
            WHERE lost.id = decision.write_off_id AND lost.kind = 'write_off'
                AND lost.state = 'done' AND lost.amount >= (
                    SELECT sum(amount) FROM billing_moneydecision
                    WHERE write_off_id = lost.id AND state = 'done')
        ) THEN
            RAISE EXCEPTION 'what was written off is recovered, once'
                USING ERRCODE = 'check_violation',
                    CONSTRAINT = 'billing_moneydecision_within_write_off';
        END IF;
    END IF;
END
$$;

CREATE FUNCTION billing_moneydecision_booked() RETURNS trigger {DEFINER} AS $$
DECLARE
    debit text := CASE WHEN NEW.kind = 'write_off' THEN 'bad_debt' ELSE 'wallet' END;
    credit text := CASE NEW.kind WHEN 'write_off' THEN 'receivable'
        WHEN 'write_off_recovery' THEN 'bad_debt' ELSE 'cash' END;
BEGIN
    IF NOT EXISTS (
        SELECT FROM billing_ledgertransaction movement
        JOIN billing_ledgerentry entry ON entry.transaction_id = movement.id
        JOIN billing_ledgeraccount side ON side.id = entry.account_id
        WHERE movement.id = NEW.transaction_id AND movement.kind = NEW.kind
        GROUP BY movement.id
        HAVING count(*) = 2
            AND bool_or(side.kind = debit AND entry.amount = NEW.amount)
            AND bool_or(side.kind = credit AND entry.amount = -NEW.amount)
    ) THEN
        RAISE EXCEPTION 'what was agreed to is what is booked'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_moneydecision_booked';
    END IF;
    IF NEW.kind <> 'write_off' THEN
        PERFORM billing_moneydecision_wallet(NEW);
    END IF;
    PERFORM billing_moneydecision_debt(NEW);
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_moneydecision_booked AFTER UPDATE ON billing_moneydecision
    FOR EACH ROW WHEN (NEW.state = 'done') EXECUTE FUNCTION billing_moneydecision_booked();

-- Nothing is booked under these names that two people did not agree to.
CREATE FUNCTION billing_ledger_decided() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM billing_moneydecision WHERE transaction_id = NEW.id AND state = 'done'
    ) THEN
        RAISE EXCEPTION 'two people decide before this is booked'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_ledgertransaction_decided';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER billing_ledgertransaction_decided AFTER INSERT
    ON billing_ledgertransaction DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.kind IN ('top_up_reversal', 'pay_out', 'write_off', 'write_off_recovery'))
    EXECUTE FUNCTION billing_ledger_decided();
"""

# What was written off is neither paid nor credited any more: a later payment recovers it.
SETTLED = f"""
CREATE OR REPLACE FUNCTION billing_payment_within() RETURNS trigger {DEFINER} AS $$
DECLARE
    paid numeric;
BEGIN
    PERFORM FROM billing_invoice invoice WHERE invoice.id = NEW.invoice_id FOR UPDATE;
    SELECT sum(amount) INTO paid FROM billing_invoicepayment WHERE invoice_id = NEW.invoice_id;
    IF paid < 0 OR paid > (SELECT gross FROM billing_invoice WHERE id = NEW.invoice_id)
        - (SELECT coalesce(sum(from_due), 0) FROM billing_creditnote
            WHERE invoice_id = NEW.invoice_id)
        - (SELECT coalesce(sum(amount), 0) FROM billing_moneydecision
            WHERE invoice_id = NEW.invoice_id AND state = 'done') THEN
        RAISE EXCEPTION 'an invoice is paid once' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
-- By its name it comes after the trigger that locks the invoice.
CREATE FUNCTION billing_creditnote_not_written_off() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF EXISTS (
        SELECT FROM billing_moneydecision WHERE invoice_id = NEW.invoice_id AND state = 'done'
    ) THEN
        RAISE EXCEPTION 'an invoice that was written off is not credited'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_creditnote_not_written_off';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_creditnote_not_written_off BEFORE INSERT ON billing_creditnote
    FOR EACH ROW EXECUTE FUNCTION billing_creditnote_not_written_off();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0026_cheaper_laws'),
        ('tenants', '0007_webhook_log'),
    ]

    operations = [
        migrations.CreateModel(
            name='MoneyDecision',
            fields=[
                ('id', models.UUIDField(default=common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('top_up_reversal', 'Top-up taken back'), ('pay_out', 'Paid back to the tenant'), ('write_off', 'Debt written off'), ('write_off_recovery', 'Written-off debt recovered')], max_length=20)),
                ('state', models.CharField(choices=[('proposed', 'Proposed'), ('done', 'Done'), ('rejected', 'Rejected')], default='proposed', max_length=20)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=18)),
                ('reason', models.CharField(max_length=500)),
                ('reference', models.CharField(blank=True, max_length=200)),
                ('proposed_at', models.DateTimeField()),
                ('proposed_by_id', models.UUIDField(null=True)),
                ('proposed_by', models.CharField(max_length=200)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by_id', models.UUIDField(null=True)),
                ('decided_by', models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='ledgeraccount',
            name='billing_ledgeraccount_kind_known',
        ),
        migrations.AlterField(
            model_name='ledgeraccount',
            name='kind',
            field=models.CharField(choices=[('cash', 'Cash at bank'), ('wallet', 'Wallet'), ('receivable', 'Receivable'), ('revenue', 'Revenue'), ('vat_output', 'Output VAT'), ('subsidy_receivable', 'Subsidy receivable'), ('voucher_liability', 'Vouchers not yet used'), ('promotion', 'Promotional credit given'), ('deferred_revenue', 'Packages not yet used'), ('breakage', 'Packages expired unused'), ('bad_debt', 'Debts written off')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='ledgeraccount',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['cash', 'wallet', 'receivable', 'revenue', 'vat_output', 'subsidy_receivable', 'voucher_liability', 'promotion', 'deferred_revenue', 'breakage', 'bad_debt'])), name='billing_ledgeraccount_kind_known'),
        ),
        migrations.AddField(
            model_name='moneydecision',
            name='invoice',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='write_offs', to='billing.invoice'),
        ),
        migrations.AddField(
            model_name='moneydecision',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organisation'),
        ),
        migrations.AddField(
            model_name='moneydecision',
            name='top_up',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversals', to='billing.ledgertransaction'),
        ),
        migrations.AddField(
            model_name='moneydecision',
            name='transaction',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decision', to='billing.ledgertransaction'),
        ),
        migrations.AddField(
            model_name='moneydecision',
            name='write_off',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='recoveries', to='billing.moneydecision'),
        ),
        migrations.AddIndex(
            model_name='moneydecision',
            index=models.Index(condition=models.Q(('state', 'proposed')), fields=['proposed_at'], name='billing_decision_waiting'),
        ),
        migrations.AddConstraint(
            model_name='moneydecision',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['proposed', 'done', 'rejected'])), name='billing_moneydecision_state_known'),
        ),
        migrations.AddConstraint(
            model_name='moneydecision',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='billing_moneydecision_above_zero'),
        ),
        migrations.AddConstraint(
            model_name='moneydecision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('invoice__isnull', True), ('kind', 'top_up_reversal'), ('top_up__isnull', False), ('write_off__isnull', True)), models.Q(('invoice__isnull', True), ('kind', 'pay_out'), ('top_up__isnull', True), ('write_off__isnull', True)), models.Q(('invoice__isnull', False), ('kind', 'write_off'), ('top_up__isnull', True), ('write_off__isnull', True)), models.Q(('invoice__isnull', True), ('kind', 'write_off_recovery'), ('top_up__isnull', True), ('write_off__isnull', False)), _connector='OR'), name='billing_moneydecision_about'),
        ),
        migrations.AddConstraint(
            model_name='moneydecision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('reason', ''), _negated=True), models.Q(models.Q(('kind', 'pay_out'), _negated=True), models.Q(('reference', ''), _negated=True), _connector='OR')), name='billing_moneydecision_says_why'),
        ),
        migrations.AddConstraint(
            model_name='moneydecision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', False), ('state', 'done'), ('transaction__isnull', False)), models.Q(models.Q(('state', 'done'), _negated=True), ('transaction', None)), _connector='OR'), name='billing_moneydecision_done_is_booked'),
        ),
        migrations.AddConstraint(
            model_name='moneydecision',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'rejected'), _negated=True), fields=('top_up',), name='billing_moneydecision_top_up_once'),
        ),
        migrations.AddConstraint(
            model_name='moneydecision',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'rejected'), _negated=True), fields=('invoice',), name='billing_moneydecision_invoice_once'),
        ),
        migrations.AddConstraint(
            model_name='moneydecision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'done'), _negated=True), models.Q(('decided_by_id', None), ('proposed_by_id', None)), models.Q(('decided_by_id__isnull', False), ('proposed_by_id__isnull', False), models.Q(('decided_by_id', models.F('proposed_by_id')), _negated=True)), _connector='OR'), name='billing_moneydecision_four_eyes'),
        ),
        walls.tenant_wall(TABLE),
        *[walls.tenant_reference(TABLE, column, to) for column, to in REFERENCES],
        walls.owner_upkeep(TABLE),
        migrations.RunSQL(BEGINS, migrations.RunSQL.noop),
        migrations.RunSQL(TOP_UPS, NO_REVERSALS),
        migrations.RunSQL(BOOKED, migrations.RunSQL.noop),
        migrations.RunSQL(SETTLED, migrations.RunSQL.noop),
    ]
