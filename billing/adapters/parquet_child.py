"""The program behind ``billing.adapters.parquet``: one file in, one file out, then it ends.

    parquet_child.py to SOURCE.csv TARGET.parquet     column kinds as JSON on standard input
    parquet_child.py from SOURCE.parquet TARGET.csv

Nothing imports it: DuckDB belongs to this process alone.
"""

import json
import sys
from pathlib import Path

import duckdb

# Bounded: a file larger than that is written group by group through the disk.
MEMORY = "512MB"
GROUP_ROWS = 20_480
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
TYPES = {
    "decimal": "CAST({name} AS DECIMAL(38, 15))",
    "time": f"strptime({{name}}, '{TIME_FORMAT}')",
    "string": "{name}",
    "json": "{name}",
}


def main(direction: str, source: str, target: str) -> None:
    database = duckdb.connect()
    database.execute("SET threads = 1")
    database.execute(f"SET memory_limit = '{MEMORY}'")
    database.execute("SET temp_directory = ?", [str(Path(target).parent / "spill")])
    if direction == "to":
        to_parquet(database, source, target, json.load(sys.stdin))
    else:
        from_parquet(database, source, target)


def to_parquet(
    database: duckdb.DuckDBPyConnection, source: str, target: str, kinds: dict[str, str]
) -> None:
    chosen = ", ".join(
        f"{TYPES[kind].format(name=quoted(name))} AS {quoted(name)}" for name, kind in kinds.items()
    )
    database.execute(
        f"COPY (SELECT {chosen} FROM read_csv({literal(source)}, header = true, "  # noqa: S608
        "all_varchar = true, nullstr = '', delim = ',', quote = '\"', escape = '\"', "
        f"parallel = false)) TO {literal(target)} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {GROUP_ROWS})"
    )


def from_parquet(database: duckdb.DuckDBPyConnection, source: str, target: str) -> None:
    read = f"SELECT * FROM read_parquet({literal(source)})"  # noqa: S608 - our own file's name
    found = database.execute(f"DESCRIBE {read}").fetchall()
    chosen = ", ".join(
        f"strftime({quoted(name)}, '{TIME_FORMAT}') AS {quoted(name)}"
        if kind.startswith("TIMESTAMP")
        else quoted(name)
        for name, kind, *_ in found
    )
    database.execute(
        f"COPY (SELECT {chosen} FROM read_parquet({literal(source)})) "  # noqa: S608
        f"TO {literal(target)} (FORMAT csv, HEADER)"
    )


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    main(*sys.argv[1:4])
