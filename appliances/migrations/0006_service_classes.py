"""A deployment carries the service class of its workload, for good."""

from django.db import migrations, models

# What runs in a reservation is covered by it. Row security binds the tables' owner too, who would
# find no row to UPDATE; a change of type reads every row.
EXISTING = """
ALTER TABLE appliances_deployment ALTER COLUMN service_class TYPE varchar(20)
    USING CASE WHEN reservation_id IS NULL THEN 'on_demand' ELSE 'covered' END;
"""
FIXED = """
CREATE FUNCTION appliances_deployment_class_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the service class of appliances_deployment is fixed'
        USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER appliances_deployment_class_is_fixed BEFORE UPDATE OF service_class ON appliances_deployment
    FOR EACH ROW WHEN (NEW.service_class IS DISTINCT FROM OLD.service_class)
    EXECUTE FUNCTION appliances_deployment_class_is_fixed();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('appliances', '0005_budget_subjects'),
    ]

    operations = [
        migrations.AddField(
            model_name='deployment',
            name='service_class',
            field=models.CharField(default='on_demand', max_length=20),
        ),
        migrations.RunSQL(EXISTING, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='deployment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('reservation_id__isnull', True), ('service_class__in', ['on_demand', 'shared', 'urgent'])), models.Q(('reservation_id__isnull', False), ('service_class', 'covered')), _connector='OR'), name='appliances_deployment_class_known'),
        ),
        migrations.RunSQL(FIXED, migrations.RunSQL.noop),
    ]
