"""What beat names must exist: a name nobody registered is a poke into the void."""

from portal.celery import app
from portal.settings.schedule import POKES


def test_every_scheduled_name_is_a_registered_task() -> None:
    app.loader.import_default_modules()
    assert {poke.task for poke in POKES} - set(app.tasks) == set()
