from django.db import migrations, models

from tenants import walls


class Migration(migrations.Migration):
    dependencies = [("compute", "0008_service_classes")]

    operations = [
        migrations.AddConstraint(
            model_name="profile",
            constraint=models.CheckConstraint(
                condition=models.Q(("backing", None), ("tenant__isnull", False), _connector="OR"),
                name="compute_profile_backed_is_owned",
            ),
        ),
        walls.tenant_reference("compute_profile", "backing_id", "compute_claim"),
    ]
