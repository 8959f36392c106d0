from django.db import migrations

from tenants import walls


class Migration(migrations.Migration):
    dependencies = [("appliances", "0001_initial"), ("tenants", "0002_walls")]

    operations = [
        walls.tenant_wall("appliances_deployment"),
        walls.tenant_reference("appliances_deployment", "project_id", "tenants_project"),
    ]
