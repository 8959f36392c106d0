# The checks themselves are listed in portal/embedded/checking.py: one list, here and in CI.
PYTHON ?= python3
UV ?= uv
COMPILE = $(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-annotate --quiet

.PHONY: run test check lock openapi client

run:
	$(PYTHON) start.py run

test check:
	$(PYTHON) start.py test

# The first lock holds the second, in the same versions: .venv serves both.
lock:
	$(COMPILE) --extra test --output-file requirements-test.lock
	$(COMPILE) --constraint requirements-test.lock --output-file requirements.lock

openapi:
	DATABASE_URL=postgresql://nobody@localhost/none DJANGO_SETTINGS_MODULE=portal.settings.test \
	.venv/bin/python manage.py spectacular --lang en --validate --fail-on-warn --file docs/openapi.yaml

# The typed client, from the committed document; run it after openapi.
client:
	.venv/bin/python -m portal_client.generating
