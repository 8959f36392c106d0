"""All of a tenant's money is in its account's currency, which is fixed once anything happened."""

from django.db import migrations

# The account is opened by the first thing that takes its lock; contracts and credits had none yet.
ACCOUNTS = """
INSERT INTO billing_account (id, tenant_id, currency, wallet, receivable, held, credit_limit,
    unbilled)
SELECT gen_random_uuid(), owner.tenant_id, 'CNY', 0, 0, 0, 0, 0
FROM (SELECT tenant_id FROM billing_contract UNION SELECT tenant_id FROM billing_creditlot) owner
ON CONFLICT DO NOTHING;
"""

OF_ONE_CURRENCY = (
    "billing_ledgeraccount",
    "billing_invoice",
    "billing_creditnote",
    "billing_contract",
    "billing_creditlot",
    "billing_fapiao",
)

REFERENCES = "\n".join(
    f"""ALTER TABLE {table} ADD CONSTRAINT {table}_in_own_currency
    FOREIGN KEY (tenant_id, currency) REFERENCES billing_account (tenant_id, currency);"""
    for table in OF_ONE_CURRENCY
)
NO_REFERENCES = "\n".join(
    f"ALTER TABLE {table} DROP CONSTRAINT {table}_in_own_currency;" for table in OF_ONE_CURRENCY
)

# What carries no currency of its own means the account's. Only operators may write the column, and
# they see every row.
FIXED = """
CREATE FUNCTION billing_account_currency_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.currency <> OLD.currency AND (
        OLD.unbilled <> 0 OR OLD.credit_limit <> 0
        OR EXISTS (SELECT FROM billing_hold WHERE tenant_id = OLD.tenant_id)
        OR EXISTS (SELECT FROM billing_billingperiod WHERE tenant_id = OLD.tenant_id)
        OR EXISTS (SELECT FROM billing_budget WHERE tenant_id = OLD.tenant_id)
        OR EXISTS (SELECT FROM billing_adjustment WHERE tenant_id = OLD.tenant_id)
        OR EXISTS (SELECT FROM billing_voucherapplication WHERE tenant_id = OLD.tenant_id)
    ) THEN
        RAISE EXCEPTION 'the currency of an account with use or money does not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
-- Another currency is an operator's decision, and only operators may write the column.
CREATE FUNCTION billing_account_begins_own() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.currency <> 'CNY' THEN
        RAISE EXCEPTION 'an account begins in the currency of the centre'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_account_begins_own BEFORE INSERT ON billing_account
    FOR EACH ROW EXECUTE FUNCTION billing_account_begins_own();
CREATE TRIGGER billing_account_currency_fixed BEFORE UPDATE OF currency ON billing_account
    FOR EACH ROW EXECUTE FUNCTION billing_account_currency_fixed();
GRANT UPDATE (currency) ON billing_account TO acp_operator;
"""

NOT_FIXED = """
REVOKE UPDATE (currency) ON billing_account FROM acp_operator;
DROP TRIGGER billing_account_begins_own ON billing_account;
DROP FUNCTION billing_account_begins_own();
DROP TRIGGER billing_account_currency_fixed ON billing_account;
DROP FUNCTION billing_account_currency_fixed();
"""


# Their sentences name the currency now; what was told before was in yuan.
NOTICES = """
CREATE POLICY say_currency ON tenants_notice TO CURRENT_USER USING (true) WITH CHECK (true);
UPDATE tenants_notice SET detail = detail || '{"currency": "CNY"}'
WHERE NOT detail ? 'currency' AND (kind LIKE 'arrears.%' OR kind LIKE 'budget.%'
    OR kind IN ('spend.unusual', 'workload.stop_announced'));
DROP POLICY say_currency ON tenants_notice;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0023_currencies")]

    operations = [
        migrations.RunSQL(ACCOUNTS, migrations.RunSQL.noop),
        migrations.RunSQL(REFERENCES, NO_REFERENCES),
        migrations.RunSQL(FIXED, NOT_FIXED),
        migrations.RunSQL(NOTICES, migrations.RunSQL.noop),
    ]
