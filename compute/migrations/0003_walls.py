from django.db import migrations

from tenants import walls


class Migration(migrations.Migration):
    dependencies = [("compute", "0002_capacity_law"), ("tenants", "0002_walls")]

    operations = [
        walls.tenant_wall("compute_claim"),
        walls.tenant_wall("compute_reservation"),
        walls.tenant_wall("compute_workload"),
        walls.tenant_wall("compute_engineusage"),
        walls.tenant_reference("compute_reservation", "project_id", "tenants_project"),
        walls.tenant_reference("compute_reservation", "claim_id", "compute_claim"),
        walls.tenant_reference("compute_workload", "project_id", "tenants_project"),
        walls.tenant_reference("compute_workload", "reservation_id", "compute_reservation"),
        walls.tenant_reference("compute_workload", "claim_id", "compute_claim"),
        walls.tenant_reference("compute_engineusage", "workload_id", "compute_workload"),
        walls.append_only("compute_profile"),
        walls.append_only("compute_capacitychange"),
    ]
