"""Cut the documents' font: ``python -m billing.adapters.fonts.cut <folder of the npm package>``.

Source: npm @fontsource/noto-sans-sc 5.3.0, files/noto-sans-sc-*-normal.woff2; SIL Open Font
License 1.1, kept beside the result. Run again only to change the characters; the result is
committed.
"""

import sys
from pathlib import Path

from fontTools.merge import Merger
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from billing.adapters.wording import CHINESE, words

HERE = Path(__file__).parent
FAMILY = "Noto Sans SC"
LATIN = frozenset(range(0x20, 0x7F)) | frozenset(range(0xA0, 0x180))


# In chip makers' and people's names, and in neither level.
BEYOND_GB2312 = "昇曦燧邃喆堃玥珺璟赟垚彧昉晔曌頔祎翀芃芮莳甯昶暠焜熠祺禔祯镕镓锴"


def names() -> set[int]:
    """Latin with its supplement, punctuation, full-width forms, both levels of GB 2312."""
    wanted = set(LATIN) | set(range(0x2010, 0x2040)) | set(range(0x3000, 0x3020))
    wanted |= set(range(0xFF01, 0xFF5F)) | {0xFFE5, 0x2103, 0x20AC}
    wanted |= {ord(each) for each in BEYOND_GB2312}
    for row in range(0xB0, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                wanted.add(ord(bytes((row, cell)).decode("gb2312")))
            except UnicodeDecodeError:
                continue
    return wanted


def headings() -> set[int]:
    """What the template sets in bold: our own words and figures, never a name."""
    return set(LATIN) | {ord(each) for text in words(CHINESE).values() for each in text}


def cut(package: Path, weight: str, name: str, wanted: set[int]) -> Path:
    """Join the package's pieces of one weight, keep the wanted characters, as TTF."""
    missing = set(wanted)
    parts: list[Path] = []
    # The numbered pieces hold what the two named ones leave out.
    for piece in sorted((package / "files").glob(f"noto-sans-sc-*-{weight}-normal.woff2")):
        part = TTFont(piece)
        found = missing & part.getBestCmap().keys()
        if not found:
            continue
        missing -= found
        part.flavor = None
        options = Options()
        options.layout_features = ["kern", "locl"]
        options.hinting = False
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=found)
        subsetter.subset(part)
        # Vertical writing needs tables that not every piece has; the merger wants all or none.
        for table in ("vhea", "vmtx", "VORG", "BASE"):
            if table in part:
                del part[table]
        parts.append(HERE / f".{piece.stem}.ttf")
        part.save(parts[-1])
    target = HERE / f"NotoSansSC-{name}.ttf"
    merged = Merger().merge([str(path) for path in parts])
    for name_id, text in (
        (1, FAMILY),
        (2, name),
        (4, f"{FAMILY} {name}"),
        (16, FAMILY),
        (17, name),
    ):
        merged["name"].setName(text, name_id, 3, 1, 0x409)
    merged.save(target)
    for path in parts:
        path.unlink()
    return target


def main() -> None:
    package = Path(sys.argv[1])
    cut(package, "400", "Regular", names())
    cut(package, "700", "Bold", headings())


if __name__ == "__main__":
    main()
