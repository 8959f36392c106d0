"""The composition root: settings, console, API, gateway. Nothing imports it."""
