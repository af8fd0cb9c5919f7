"""The values inside a delivery report: addresses, actions, codes, a server's words.

Shared by the reading of fields (RFC 3464) and of prose. Every pattern is bounded, so the work is linear.
"""

from __future__ import annotations

import re

from intake.types import BounceAction

MAX_DIAGNOSTIC = 1000  # characters

ACTIONS: tuple[tuple[tuple[str, ...], BounceAction], ...] = (
    (("fail", "error", "undeliver", "reject", "bounce", "expire", "denied"), BounceAction.FAILED),
    (("delay", "defer", "warn", "queue", "transient", "retry"), BounceAction.DELAYED),
    (("deliver", "relay", "expand", "success"), BounceAction.DELIVERED),
)
BY_CLASS = {"5": BounceAction.FAILED, "4": BounceAction.DELAYED, "2": BounceAction.DELIVERED}
EXPIRED = "4.4.7"  # RFC 3463: the time for delivery is over, so nothing will be tried again


ADDRESS = re.compile(r"[^\s<>;,:()\"'\[\]@]{1,250}@[^\s<>;,:()\"'@]{1,250}")
ENHANCED = re.compile(r"(?<![\w.])[245]\.\d{1,3}\.\d{1,3}(?![\d.]*\.?\d)")
REPLY_CODE = re.compile(r"(?<![\w.-])([245])\d\d(?=[ -]|$)")
REFUSAL = re.compile(r"(?<![\w.-])[45][0-7]\d[ -]+(?!\d{3,4}\b)\S")
ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
XTEXT = re.compile(r"\+(2B|3D)")
COMMENT = re.compile(r"\([^()]*\)")


def address_of(value: str) -> str:
    """The address of `type; address` (RFC 3464 section 2.3.1), in whatever brackets and quotes; else ""."""
    kind, semicolon, rest = value.partition(";")
    text = rest if semicolon and "@" not in kind else value
    if kind.strip().lower() in {"utf-8", "utf8"}:
        text = ESCAPED.sub(character, text)
    match = ADDRESS.search(COMMENT.sub("", text[:2000]) or text[:2000])
    return XTEXT.sub(lambda code: chr(int(code[1], 16)), match[0]).rstrip(".") if match else ""


def character(escape: re.Match[str]) -> str:
    r"""The character of a `\x{…}` in an internationalised address (RFC 6533 section 3); "" where there is none."""
    number = int(escape[1], 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number <= 0x10FFFF else ""


def action_of(value: str) -> BounceAction | None:
    """The action of section 2.3.3, also with comments and in the misspellings of some servers."""
    word = value.strip().lower()
    return next((action for starts, action in ACTIONS if word.startswith(starts)), None)


def action_by_code(status: str | None, words: str) -> BounceAction:
    """What the codes say where the action is missing; failed where they say nothing."""
    if status == EXPIRED:
        return BounceAction.FAILED
    code = REPLY_CODE.search(words)
    return BY_CLASS[status[0] if status else code[1] if code else "5"]


def enhanced(text: str) -> str | None:
    """The first enhanced status code (RFC 3463) in a text; parts of IP addresses are none."""
    match = ENHANCED.search(text)
    return match[0] if match else None


def clean(value: str) -> str:
    """The server's own words: one line, without the leading `smtp;`, at most MAX_DIAGNOSTIC characters."""
    kind, semicolon, rest = value.partition(";")
    words = rest if semicolon and " " not in kind.strip() else value
    return " ".join(words.split())[:MAX_DIAGNOSTIC]
