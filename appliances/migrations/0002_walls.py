from django.db import migrations

from tenants import walls


class Migration(migrations.Migration):
    dependencies = [
        ("appliances", "0001_initial"),
        ("compute", "0003_walls"),
        ("tenants", "0002_walls"),
    ]

    operations = [
        walls.tenant_wall("appliances_deployment"),
        walls.tenant_reference("appliances_deployment", "project_id", "tenants_project"),
        walls.tenant_reference("appliances_deployment", "reservation_id", "compute_reservation"),
        walls.tenant_reference("appliances_deployment", "workload_id", "compute_workload"),
    ]
