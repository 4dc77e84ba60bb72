"""The JSON Schemas of r247/1 as files, made from the program's own table of fields. Decides nothing.

`packaging/schema-files` writes them into packaging/r247/schemas.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from archsyncd.conformance.schemas import DIFFERENCES, every

SCHEMAS = Path(__file__).resolve().parents[1] / "r247" / "schemas"
ENDING = ".schema.json"


def files() -> dict[str, str]:
    """Name and text of each file, with the page that tells what a schema cannot say."""
    made = {f"{name}{ENDING}": json.dumps(schema, indent=1) + "\n" for name, schema in every()}
    told = "\n".join(f"- {says}" for says in DIFFERENCES.values())
    made["README.md"] = (
        "# JSON Schemas of `r247/1`\n\n"
        "Made by `packaging/schema-files` from the fields that archsyncd reads, as JSON Schema 2020-12. Each file stands for\n"
        "itself. What a schema accepts archsyncd reads, but for what JSON Schema cannot say:\n\n"
        f"{told}\n"
    )
    return made


def main() -> int:
    """Write every file, and remove those that are no more."""
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    made = files()
    for name, text in made.items():
        (SCHEMAS / name).write_text(text, "utf-8")
    for path in SCHEMAS.iterdir():
        if path.name not in made:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
