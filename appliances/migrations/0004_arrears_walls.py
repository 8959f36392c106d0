from django.db import migrations

from tenants import walls


class Migration(migrations.Migration):
    dependencies = [("appliances", "0003_arrears")]

    operations = [
        walls.tenant_wall("appliances_interruption"),
        walls.tenant_reference(
            "appliances_interruption", "deployment_id", "appliances_deployment"
        ),
        walls.tenant_reference(
            "appliances_interruption", "resumed_as_id", "appliances_deployment"
        ),
    ]
