"""A budget of a deployment speaks of one of the tenant's own."""

from django.db import migrations

from tenants import walls


class Migration(migrations.Migration):
    # Billing does not know deployments, so the reference is made where they are known.
    dependencies = [("appliances", "0004_arrears_walls"), ("billing", "0018_budgets")]

    operations = [
        walls.tenant_reference("billing_budget", "deployment_id", "appliances_deployment"),
    ]
