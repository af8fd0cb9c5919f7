"""The sample mails of this folder and how they are to be read: NAME.json is the reading of NAME.eml."""

from __future__ import annotations

import json
from pathlib import Path

from intake.explain import describe
from intake.parsing.message import parse

FOLDER = Path(__file__).parent


def samples() -> list[Path]:
    """Return the sample mails in the order of their names."""
    return sorted(FOLDER.glob("*.eml"))


def golden(sample: Path) -> Path:
    """Return where the reading of a sample is kept."""
    return sample.with_suffix(".json")


def reading(sample: Path) -> dict[str, object]:
    """Read a sample now."""
    parsed = parse(sample.read_bytes())
    folds = [[fold.start, fold.end, fold.kind.value] for fold in parsed.folds]
    return describe(sample.name, parsed) | {"folds": folds}


def written(found: dict[str, object]) -> str:
    """Return a reading as it is kept."""
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"
