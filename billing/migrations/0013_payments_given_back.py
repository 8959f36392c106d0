"""A refund gives back what a credit had paid: a payment below zero, never below all of it."""

from django.db import migrations, models

WITHIN = """
CREATE OR REPLACE FUNCTION billing_payment_within() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    paid numeric;
BEGIN
    PERFORM FROM billing_invoice invoice WHERE invoice.id = NEW.invoice_id FOR UPDATE;
    SELECT sum(amount) INTO paid FROM billing_invoicepayment WHERE invoice_id = NEW.invoice_id;
    IF paid < 0 OR paid > (SELECT gross FROM billing_invoice WHERE id = NEW.invoice_id) THEN
        RAISE EXCEPTION 'an invoice is paid once' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0012_credit_laws'),
        ('tenants', '0005_notices'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='invoicepayment',
            name='billing_invoicepayment_positive',
        ),
        migrations.AddConstraint(
            model_name='invoicepayment',
            constraint=models.CheckConstraint(condition=models.Q(('amount', 0), _negated=True), name='billing_invoicepayment_not_zero'),
        ),
        migrations.RunSQL(WITHIN, migrations.RunSQL.noop),
    ]
