from django.db import migrations

from tenants import walls

# The same table as compute.models.freezes.FREEZE_TRANSITIONS; a test compares the two.
MOVES = """
CREATE FUNCTION compute_freeze_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND NOT (NEW.state = ANY (CASE OLD.state
        WHEN 'notified' THEN ARRAY['stopping', 'lifted']
        WHEN 'stopping' THEN ARRAY['frozen', 'lifted']
        WHEN 'frozen' THEN ARRAY['released', 'lifted']
        ELSE ARRAY[]::text[] END)) THEN
        RAISE EXCEPTION 'a freeze does not move from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER compute_freeze_moves BEFORE UPDATE ON compute_freeze
    FOR EACH ROW EXECUTE FUNCTION compute_freeze_moves();
"""


class Migration(migrations.Migration):
    dependencies = [("compute", "0006_arrears")]

    operations = [
        walls.tenant_wall("compute_freeze"),
        migrations.RunSQL(MOVES, migrations.RunSQL.noop),
    ]
