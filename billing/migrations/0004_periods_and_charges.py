"""Billing periods gather usage, charges bill it: the tables, beside those they replace."""

import django.db.models.deletion
from django.db import migrations, models

import common.ids

TENANT = models.ForeignKey(
    on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.organisation"
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_laws")]

    operations = [
        migrations.CreateModel(
            name="BillingPeriod",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant", TENANT.clone()),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("closed", "Closed")],
                        default="open",
                        max_length=20,
                    ),
                ),
                (
                    "root",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.billingperiod",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="periods",
                        to="billing.invoice",
                    ),
                ),
                ("closed_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "starts_at"], name="billing_period_in_order")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="billing_billingperiod_not_empty",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("invoice", None), ("state", "open")),
                            models.Q(
                                ("closed_at__isnull", False),
                                ("invoice__isnull", False),
                                ("state", "closed"),
                            ),
                            _connector="OR",
                        ),
                        name="billing_billingperiod_closed_by_invoice",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Charge",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=common.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tenant", TENANT.clone()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="charges",
                        to="billing.invoice",
                    ),
                ),
                ("key", models.UUIDField()),
                (
                    "price",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.price",
                    ),
                ),
                ("quantity", models.BigIntegerField()),
                ("service_from", models.DateTimeField()),
                ("service_to", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "key"], name="billing_charge_running")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("service_to__gt", models.F("service_from"))),
                        name="billing_charge_period",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ChargeSegment",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant", TENANT.clone()),
                (
                    "charge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="segments",
                        to="billing.charge",
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.series",
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="billing_chargesegment_not_empty",
                    )
                ],
            },
        ),
        migrations.RemoveConstraint(model_name="invoice", name="billing_invoice_total"),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "gross",
                        models.expressions.CombinedExpression(
                            models.F("net"), "+", models.F("tax")
                        ),
                    )
                ),
                name="billing_invoice_total",
            ),
        ),
        # What was issued before was hashed over the fields of version 1.
        migrations.AddField(
            model_name="invoice",
            name="hash_version",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="hash_version",
            field=models.PositiveSmallIntegerField(default=2),
        ),
        migrations.RemoveConstraint(model_name="invoiceline", name="billing_invoiceline_sane"),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(("service_to__gt", models.F("service_from"))),
                name="billing_invoiceline_period",
            ),
        ),
        migrations.AlterField(
            model_name="invoiceline",
            name="meter",
            field=models.CharField(blank=True, max_length=60),
        ),
        migrations.AlterField(
            model_name="invoiceline",
            name="price",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.price",
            ),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="kind",
            field=models.CharField(
                choices=[
                    ("usage", "Usage"),
                    ("true_up", "True-up"),
                    ("adjustment", "Adjustment"),
                ],
                default="usage",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="portion",
            field=models.CharField(default="flat", max_length=40),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="charge",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="billing.charge",
            ),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="priced_quantity",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="list_unit_price",
            field=models.DecimalField(decimal_places=15, max_digits=30, null=True),
        ),
        migrations.AddField(
            model_name="usageevent",
            name="period",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.billingperiod",
            ),
        ),
        # The model of a bucket follows with its new key, once every bucket has a period.
        migrations.RunSQL(
            "ALTER TABLE billing_usagebucket ADD COLUMN period_id bigint", migrations.RunSQL.noop
        ),
    ]
