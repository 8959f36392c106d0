"""Work carries the service class it was asked for with, for good."""

from django.db import migrations, models

# What runs in a reservation is covered by it. Row security binds the tables' owner too, who would
# find no row to UPDATE; a change of type reads every row.
EXISTING = """
ALTER TABLE compute_workload ALTER COLUMN service_class TYPE varchar(20)
    USING CASE WHEN reservation_id IS NULL THEN 'on_demand' ELSE 'covered' END;
"""
FIXED = """
CREATE FUNCTION compute_workload_class_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the service class of compute_workload is fixed'
        USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER compute_workload_class_is_fixed BEFORE UPDATE OF service_class ON compute_workload
    FOR EACH ROW WHEN (NEW.service_class IS DISTINCT FROM OLD.service_class)
    EXECUTE FUNCTION compute_workload_class_is_fixed();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('compute', '0007_arrears_walls'),
    ]

    operations = [
        migrations.AddField(
            model_name='workload',
            name='service_class',
            field=models.CharField(choices=[('on_demand', 'On demand'), ('shared', 'Shared'), ('urgent', 'Urgent'), ('covered', 'Covered')], default='on_demand', max_length=20),
        ),
        migrations.RunSQL(EXISTING, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='workload',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('reservation__isnull', True), ('service_class__in', ['on_demand', 'shared', 'urgent'])), models.Q(('reservation__isnull', False), ('service_class', 'covered')), _connector='OR'), name='compute_workload_class_known'),
        ),
        migrations.RunSQL(FIXED, migrations.RunSQL.noop),
    ]
