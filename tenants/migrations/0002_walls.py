from django.db import migrations

from tenants import walls


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        walls.tenant_wall("tenants_organisation", column="id"),
        walls.tenant_wall("tenants_project"),
        walls.tenant_wall("tenants_membership"),
        walls.tenant_wall("tenants_invitation"),
        walls.tenant_wall("tenants_apikey"),
        walls.tenant_wall("tenants_operatoraccess"),
        walls.tenant_wall("tenants_idempotencykey"),
        walls.tenant_wall("tenants_auditentry"),
        walls.tenant_reference("tenants_apikey", "project_id", "tenants_project"),
        walls.append_only("tenants_auditentry"),
    ]
