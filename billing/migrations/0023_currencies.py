"""A price list, a spot quote and an account are of one of the currencies that can be billed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0022_new_keys"),
        ("tenants", "0007_webhook_log"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="contract",
            name="billing_contract_currency",
        ),
        migrations.RemoveConstraint(
            model_name="priceversion",
            name="billing_priceversion_one_per_instant",
        ),
        migrations.RemoveConstraint(
            model_name="spotprice",
            name="billing_spotprice_key",
        ),
        migrations.AddField(
            model_name="spotprice",
            name="currency",
            field=models.CharField(default="CNY", max_length=3),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                fields=("tenant", "currency"), name="billing_account_currency_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__in", ("CNY", "EUR", "GBP", "HKD", "SGD", "USD"))),
                name="billing_account_currency_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditlot",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "voucher"), _negated=True),
                    ("currency", "CNY"),
                    _connector="OR",
                ),
                name="billing_creditlot_voucher_currency",
            ),
        ),
        migrations.AddConstraint(
            model_name="fapiao",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency", "CNY")), name="billing_fapiao_currency"
            ),
        ),
        migrations.AddConstraint(
            model_name="priceversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "published")),
                fields=("currency", "effective_at"),
                name="billing_priceversion_one_per_instant",
            ),
        ),
        migrations.AddConstraint(
            model_name="priceversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__in", ("CNY", "EUR", "GBP", "HKD", "SGD", "USD"))),
                name="billing_priceversion_currency_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="spotprice",
            constraint=models.UniqueConstraint(
                fields=("sku", "currency", "starts_at"), name="billing_spotprice_key"
            ),
        ),
    ]
