"""Every invoice says when it is due: old ones by the terms at their issue, new ones or nothing."""

from django.db import migrations

from tenants import walls

# What the assessment of arrears wrote so far, for invoices that none has looked at yet.
DATED = """
INSERT INTO billing_invoicedue (id, tenant_id, invoice_id, payment_days, due_at)
SELECT gen_random_uuid(), invoice.tenant_id, invoice.id, agreed.days,
    invoice.issued_at + agreed.days * interval '24 hours'
FROM billing_invoice invoice
LEFT JOIN billing_arrearsterms own ON own.tenant_id = invoice.tenant_id
CROSS JOIN LATERAL (SELECT coalesce(own.payment_days, (
    SELECT figures.payment_days FROM billing_arrearsfigures figures
    WHERE figures.effective_at <= invoice.issued_at AND figures.tier_id = coalesce(own.tier_id,
        (SELECT tier.code FROM billing_arrearstier tier WHERE tier.is_default))
    ORDER BY figures.effective_at DESC LIMIT 1
), 15) AS days) agreed
WHERE NOT EXISTS (SELECT FROM billing_invoicedue due WHERE due.invoice_id = invoice.id);
-- Inserted rows leave checks behind that a later change of the table would wait for.
SET CONSTRAINTS ALL IMMEDIATE;
"""

# Looked at when the transaction ends: the date refers to the invoice and so comes after it.
LAW = """
CREATE FUNCTION billing_invoice_with_due() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM billing_invoicedue due WHERE due.invoice_id = NEW.id) THEN
        RAISE EXCEPTION 'an invoice says when it is due'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_invoice_with_due';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER billing_invoice_with_due AFTER INSERT ON billing_invoice
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_invoice_with_due();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0018_budgets")]

    operations = [
        walls.owner_upkeep("billing_invoicedue"),
        walls.owner_upkeep("billing_arrearsterms"),
        migrations.RunSQL(DATED, migrations.RunSQL.noop),
        migrations.RunSQL(LAW, migrations.RunSQL.noop),
    ]
