"""Corrections and voids, as rows that the database strings together itself."""

import common.ids
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

from tenants import walls


# A day's partition has the rule as its own, so it is let go of there too.
EVENTS = """
DO $$
DECLARE
    part regclass;
BEGIN
    ALTER TABLE billing_usageevent DROP CONSTRAINT billing_usageevent_quantity_check;
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits
        WHERE inhparent = 'billing_usageevent'::regclass
    LOOP
        EXECUTE format(
            'ALTER TABLE %s DROP CONSTRAINT IF EXISTS billing_usageevent_quantity_check', part);
    END LOOP;
END
$$;
ALTER TABLE billing_usageevent ADD CONSTRAINT billing_usageevent_quantity_check
    CHECK (kind IN ('usage', 'correct', 'void') AND (quantity >= 0 OR kind <> 'usage'));
"""

LINKS = """
ALTER TABLE billing_correction
    ADD CONSTRAINT billing_correction_previous
        FOREIGN KEY (corrects, previous_number, previous_kind, before)
        REFERENCES billing_correction (corrects, number, kind, after);

-- Both are looked for among the events, which no reference could name: their days are partitions.
CREATE FUNCTION billing_correction_refers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM billing_usageevent event
        WHERE event.at = NEW.at AND event.series_id = NEW.series_id AND event.key = NEW.corrects
            AND event.tenant_id = NEW.tenant_id AND event.kind = 'usage'
            AND (NEW.number > 1 OR event.quantity = NEW.before)
    ) OR NOT EXISTS (
        SELECT FROM billing_usageevent event
        WHERE event.at = NEW.at AND event.series_id = NEW.series_id AND event.key = NEW.key
            AND event.tenant_id = NEW.tenant_id AND event.kind = NEW.kind
            AND event.quantity = NEW.after - NEW.before
    ) THEN
        RAISE EXCEPTION 'a correction is an event about another event of its tenant'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_correction_refers';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_correction_refers AFTER INSERT ON billing_correction
    FOR EACH ROW EXECUTE FUNCTION billing_correction_refers();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0015_bills_laws'),
        ('tenants', '0005_notices'),
    ]

    operations = [
        migrations.AddField(
            model_name='eventkey',
            name='at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='usageevent',
            name='kind',
            field=models.CharField(db_default='usage', max_length=20),
        ),
        migrations.CreateModel(
            name='Correction',
            fields=[
                ('id', models.UUIDField(default=common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('key', models.UUIDField(unique=True)),
                ('corrects', models.UUIDField()),
                ('number', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('correct', 'Corrected'), ('void', 'Voided')], max_length=20)),
                ('before', models.BigIntegerField()),
                ('after', models.BigIntegerField()),
                ('previous_number', models.PositiveIntegerField(null=True)),
                ('previous_kind', models.CharField(max_length=20, null=True)),
                ('at', models.DateTimeField()),
                ('reason', models.CharField(max_length=500)),
                ('actor_name', models.CharField(max_length=200)),
                ('received_at', models.DateTimeField()),
                ('series', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.series')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organisation')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('corrects', 'number', 'kind', 'after'), name='billing_correction_link'), models.UniqueConstraint(fields=('corrects', 'number'), name='billing_correction_number'), models.CheckConstraint(condition=models.Q(models.Q(('number', 1), ('previous_kind', None), ('previous_number', None)), models.Q(('number__gt', 1), ('previous_kind', 'correct'), ('previous_number', django.db.models.expressions.CombinedExpression(models.F('number'), '-', models.Value(1)))), _connector='OR'), name='billing_correction_follows'), models.CheckConstraint(condition=models.Q(models.Q(('after', 0), ('kind', 'void')), models.Q(('after__gte', 0), ('kind', 'correct')), _connector='OR'), name='billing_correction_not_below_zero')],
            },
        ),
        migrations.RunSQL(EVENTS, migrations.RunSQL.noop),
        walls.tenant_wall("billing_correction"),
        walls.tenant_reference("billing_correction", "series_id", "billing_series"),
        walls.append_only("billing_correction"),
        migrations.RunSQL(LINKS, migrations.RunSQL.noop),
    ]
