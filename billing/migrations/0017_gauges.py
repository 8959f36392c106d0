"""Meters that do not simply add up: how a series counts, and what a unique meter has seen."""

import billing.meters
import django.db.models.deletion
from django.db import migrations, models

from tenants import walls


# Its rows have no id of their own that anything else could refer to.
WALL = f"""
ALTER TABLE billing_eventvalue ENABLE ROW LEVEL SECURITY;
ALTER TABLE billing_eventvalue FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON billing_eventvalue TO acp_app
    USING (tenant_id = {walls.CURRENT_TENANT}) WITH CHECK (tenant_id = {walls.CURRENT_TENANT});
CREATE POLICY operator_view ON billing_eventvalue TO acp_operator USING (true) WITH CHECK (true);
ALTER TABLE billing_series ADD CONSTRAINT billing_series_aggregation CHECK (
    aggregation IN ('sum', 'count', 'max', 'latest', 'unique', 'time_weighted')
    AND (holds_for_seconds > 0) = (aggregation = 'time_weighted'));
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0016_corrections'),
        ('tenants', '0005_notices'),
    ]

    operations = [
        migrations.AddField(
            model_name='series',
            name='aggregation',
            field=models.CharField(db_default=billing.meters.Aggregation['SUM'], max_length=20),
        ),
        migrations.AddField(
            model_name='series',
            name='holds_for_seconds',
            field=models.PositiveIntegerField(db_default=0),
        ),
        migrations.CreateModel(
            name='EventValue',
            fields=[
                ('key', models.UUIDField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('value', models.CharField(max_length=100)),
                ('series', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.series')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organisation')),
            ],
            options={
                'indexes': [models.Index(fields=['series', 'at'], name='billing_eventvalue_series')],
            },
        ),
        migrations.RunSQL(WALL, migrations.RunSQL.noop),
        walls.tenant_reference("billing_eventvalue", "series_id", "billing_series"),
        walls.append_only("billing_eventvalue"),
    ]
