"""Which sentences each app says, and which of them its Chinese catalogue knows."""

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent.parent
LANGUAGE = "zh_Hans"
# A package without a catalogue of its own, and the templates, speak through the portal's.
SPEAKERS: dict[str, tuple[str, ...]] = {
    "tenants": ("tenants",),
    "billing": ("billing",),
    "compute": ("compute",),
    "appliances": ("appliances",),
    "portal": ("portal", "common", "templates"),
}
KEYWORDS: dict[str, tuple[object, ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}

# A sentence and the context that tells it from its homonyms.
Key = tuple[str, str]


def sentences(app: str) -> dict[Key, str]:
    """Every translatable sentence an app says, with the place of one use."""
    found: dict[Key, str] = {}
    for folder in SPEAKERS[app]:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in {".py", ".html", ".txt"} or "static" in path.parts:
                continue
            source = path.read_text(encoding="utf-8")
            if path.suffix != ".py":
                # Its lines keep the template's indents, which the tokenizer would take for blocks.
                source = "\n".join(line.strip() for line in templatize(source).splitlines())
            for _line, message, _comments, context in extract(
                "python", BytesIO(source.encode()), keywords=KEYWORDS
            ):
                singular = message[0] if isinstance(message, tuple) else message
                if singular:
                    found.setdefault((context or "", singular), str(path.relative_to(ROOT)))
    return found


def catalogue_path(app: str) -> Path:
    return ROOT / app / "locale" / LANGUAGE / "LC_MESSAGES" / "django.po"


def catalogue(app: str) -> Catalog:
    """An app's catalogue; an empty one where there is none yet."""
    path = catalogue_path(app)
    if not path.exists():
        return Catalog(locale=LANGUAGE)
    with path.open("rb") as file:
        return read_po(file, locale=LANGUAGE)


def entries(known: Catalog) -> dict[Key, object]:
    """The catalogue's sentences without its header, each with what is said in Chinese."""
    return {
        (entry.context or "", entry.id[0] if isinstance(entry.id, tuple) else entry.id): entry
        for entry in known
        if entry.id
    }


def compile_catalogue(app: str) -> None:
    """Write the form Django reads, which is not committed."""
    if catalogue_path(app).exists():
        with catalogue_path(app).with_suffix(".mo").open("wb") as file:
            write_mo(file, catalogue(app))
