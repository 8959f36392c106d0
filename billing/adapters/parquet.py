"""CSV into Parquet and back, in a process of its own, so that no web process carries its library.

The child is ``parquet_child.py``: it imports DuckDB, which is larger than all of this product.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from billing.focus.columns import Column

CHILD = Path(__file__).with_name("parquet_child.py")
LONGEST_SECONDS = 300


class ParquetFailed(Exception):  # noqa: N818 - nobody anticipates it: the files are our own
    """The child could not convert; the message is its last line."""


def csv_to_parquet(source: Path, target: Path, columns: Sequence[Column]) -> None:
    """Write the rows of a CSV with exact types: DECIMAL(38, 15), TIMESTAMP in UTC, text.

    Raises: ParquetFailed.
    """
    kinds = {column.name: column.kind.value for column in columns}
    _convert("to", source, target, json.dumps(kinds))


def parquet_to_csv(source: Path, target: Path) -> None:
    """Write the rows of a Parquet file as FOCUS writes CSV. Raises: ParquetFailed."""
    _convert("from", source, target, "")


def _convert(direction: str, source: Path, target: Path, said: str) -> None:
    # Isolated, so that the child sees neither this folder's modules nor anybody's settings.
    argv = [sys.executable, "-I", str(CHILD), direction, str(source), str(target)]
    ran = subprocess.run(  # noqa: S603 - our own program and files, and no shell
        argv, input=said, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    if ran.returncode:
        raise ParquetFailed(ran.stderr.strip().rpartition("\n")[2])
