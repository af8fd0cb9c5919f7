"""Where the sender's signature begins.

Only what is surely one: a mark above it, a device's line, a closing with a name below it. A closing alone is
text. Linear time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from intake.parsing.signature_words import CLOSINGS, DEVICES, EXCUSES, MOBILE_LINES, MOBILE_STARTS
from intake.parsing.textlines import clean, is_rule

DELIMITERS = frozenset(("--", "—", "––", "- -", "-- -"))
LINES_AFTER_DELIMITER = 30
LINES_AFTER_RULE = 15
LINES_AFTER_CLOSING = 8
MOBILE_LENGTH = 110
TRACKING_DOT = "ᐧ"  # Gmail add-ons leave it

_CONTACT = re.compile(r"@|https?:|www\.|\+?\d[\d ()./-]{6,}|mailing list", re.IGNORECASE)
_DASHED_NAME = re.compile(
    r"(?:[-–—]{1,3}|[-–—]{1,2} |/|// )(?=[^\W\d_])([^\s\d,:;!?]{2,20}(?: [^\s\d,:;!?]{1,20}){0,2})"
)
_SENT_FROM = re.compile(r"sent (?:from|via) (?:my|a|an|the) [^\s,]{1,20}(?: [^\s,]{1,20}){0,4}")
_LINK = re.compile(r"<https?:[^\s>]{0,300}>")
_SENTENCE_ENDS = (".", "!", "?", ":", "。", "？", "！", "…")
_TRIM = " \t,.!;:*_~-–—)…。，！"


def start_in(lines: Sequence[str], start: int, end: int, *, drawn: bool = False) -> int:
    """The first line of the signature in lines `start` to `end`, or `end` where there is none.

    `drawn`: the text was made from HTML, whose structure marks signatures; then only a delimiter counts here.
    """
    at = _delimiter(lines, start, end)
    if not drawn:
        at = _below_text(lines, start, at)
    while at > start and clean(lines[at - 1]) in ("", TRACKING_DOT) and at <= end:
        at -= 1
    return at if any(clean(line) for line in lines[at:end]) else end


def _delimiter(lines: Sequence[str], start: int, end: int) -> int:
    below = [0] * (end - start + 1)
    for at in range(end - 1, start - 1, -1):
        below[at - start] = below[at - start + 1] + bool(lines[at].strip())
    for at in range(start, end):
        line = clean(lines[at])
        if line in DELIMITERS and below[at - start] <= LINES_AFTER_DELIMITER + 1:
            return at
        if below[at - start] <= LINES_AFTER_RULE + 1 and is_rule(line) and _is_contact(lines[at + 1 : end]):
            return at
    return end


def _is_contact(lines: Sequence[str]) -> bool:
    """Whether lines below a drawn line are a signature or a list's footer, and not the next section."""
    shown = [line for line in map(clean, lines) if line and not is_rule(line)]
    if any(_is_sentence(line) for line in shown):
        return False
    if not shown or any(_CONTACT.search(line) for line in shown):
        return True
    return len(shown) <= 3 and _is_name(shown[0])


def _is_sentence(line: str) -> bool:
    return len(line) > 100 or (line.endswith(_SENTENCE_ENDS) and len(line.split()) >= 6)


def _is_name(line: str) -> bool:
    """One to five words without digits, none of them the end of a sentence."""
    words = line.strip("*_ ,").split()
    if not 1 <= len(words) <= 5 or len(line) > 50 or line.endswith(("?", "!", ":")):
        return False
    if any(character.isdigit() or character in "?!:<>=" for character in line):
        return False
    return len(words) == 1 or not words[0][:1].islower()


def _below_text(lines: Sequence[str], start: int, end: int) -> int:
    """Go up from the end over device lines, a dashed name, a closing with its name."""
    for _ in range(4):
        while end > start and clean(lines[end - 1]) in ("", TRACKING_DOT):
            end -= 1
        if end <= start:
            break
        step = _mobile(lines, start, end) or _dashed_name(lines, start, end) or _closing(lines, start, end)
        if not step:
            break
        end -= step
    return end


def is_mobile(line: str) -> bool:
    """Whether a line is one that a telephone or a mail program adds below every mail."""
    lowered = " ".join(_LINK.sub(" ", clean(line)).split()).lower().strip(" .!*_-–—<>[]()|")
    if not lowered or len(lowered) > MOBILE_LENGTH:
        return False
    if lowered in MOBILE_LINES:
        return True
    if ("," in lowered or ". " in lowered) and not any(word in lowered for word in EXCUSES):
        return False
    if _SENT_FROM.fullmatch(lowered):
        return True
    return lowered.startswith(MOBILE_STARTS) and any(device in lowered for device in DEVICES)


def _mobile(lines: Sequence[str], start: int, end: int) -> int:
    if not is_mobile(lines[end - 1]):
        return 0
    above = end - 2
    if above > start and not clean(lines[above - 1]) and _is_capital_name(clean(lines[above])):
        return 2
    return 1


def _is_capital_name(line: str) -> bool:
    words = line.split()
    return 1 <= len(words) <= 3 and _is_name(line) and all(word[:1].isupper() for word in words) and line[-1:].isalpha()


def _dashed_name(lines: Sequence[str], start: int, end: int) -> int:
    """Count "-Anna" as the last line; not the only or last item of a list."""
    line = clean(lines[end - 1]).strip(".")
    if _DASHED_NAME.fullmatch(line) is None or end - 1 <= start:
        return 0
    above = next((clean(text) for text in reversed(lines[max(start, end - 4) : end - 1]) if clean(text)), "")
    if not above or above[:1] in "-–—*•+/" or above.endswith((":", "：", ",")):
        return 0
    near = clean(lines[end - 2])
    return 1 if not near or not line.startswith(("- ", "– ", "— ")) else 0


def _closing(lines: Sequence[str], start: int, end: int) -> int:
    """Lines from a closing on, when a name stands below it and a blank line above it."""
    shown = 0
    for at in range(end - 1, max(start, end - 2 * LINES_AFTER_CLOSING) - 1, -1):
        line = clean(lines[at])
        if not line:
            continue
        if shown and _is_closing(line) and (at == start or not clean(lines[at - 1])):
            return end - at if _names_follow(lines, at + 1, end) else 0
        shown += 1
        if shown > LINES_AFTER_CLOSING or _is_sentence(line):
            return 0
    return 0


def _is_closing(line: str) -> bool:
    return len(line) <= 60 and line.lower().strip(_TRIM) in CLOSINGS


def _names_follow(lines: Sequence[str], start: int, end: int) -> bool:
    shown = [line for line in map(clean, lines[start:end]) if line]
    while shown and _is_closing(shown[0]):
        shown = shown[1:]
    return bool(shown) and _is_name(shown[0]) and not any(_is_sentence(line) for line in shown)
