"""Every sample mail is read as its golden reading says. After a wanted change: `python -m tests.mails.accept`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from intake.parsing.attachments import extract
from intake.parsing.message import parse
from tests.mails.readings import FOLDER, golden, reading, samples


@pytest.mark.parametrize("sample", samples(), ids=lambda path: path.stem)
def test_a_sample_is_read_as_its_golden_reading_says(sample: Path) -> None:
    assert reading(sample) == json.loads(golden(sample).read_text(encoding="utf-8"))


@pytest.mark.parametrize("sample", samples(), ids=lambda path: path.stem)
def test_every_attachment_of_a_sample_is_found_again_by_its_part(sample: Path) -> None:
    content = sample.read_bytes()
    for attachment in parse(content).attachments:
        assert extract(content, attachment.part) == attachment.content


def test_every_golden_reading_has_its_sample() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {path.stem for path in samples()}
