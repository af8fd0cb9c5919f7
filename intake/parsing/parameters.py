"""Parameters of Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2231), right and wrong."""

from __future__ import annotations

import re

from intake.parsing import encoded_words

# One parameter: a name, then a quoted value or everything up to the next semicolon. Possessive in effect: each
# alternative begins with a character of its own, so a match takes time linear in its length.
PARAMETER = re.compile(
    r"""[;\s]*([^\s;=:"]+)\s*[=:]\s*(?:"((?:[^"\\]|\\.)*)(?:"|\Z)|'([^';]*)'(?=\s*(?:;|\Z))|([^;]*))"""
    r"""|[;\s]+|[^;]+""",
    re.DOTALL,
)
SPACED_NAMES = re.compile(
    r"\s+(?=(?:charset|boundary|name|filename|format|delsp|method|size|type|protocol|micalg)\*?\d*\*?=)"
)
EXTENDED = re.compile(r"^(.+?)(?:\*(\d{1,4}))?(\*)?$")
QUOTED_PAIR = re.compile(r"\\(.)")
COMMENT = re.compile(r"\s*\([^()]*\)\s*$")
MAX_PARAMETERS = 200


def read(value: str) -> tuple[str, dict[str, str]]:
    """Split a header into its first value (lower-cased) and its parameters (names lower-cased, values as text)."""
    head, _, rest = value.partition(";")
    if "=" in head.partition('"')[0]:
        first, _, _ = head.strip().partition(" ")
        head, rest = ("", value) if "=" in first else (first, value.strip()[len(first) :])
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, content in _pairs(rest):
        _sort_in(name, content, plain, pieces)
    for name, parts in pieces.items():
        plain[name] = _joined(parts)
    return COMMENT.sub("", head).strip().strip("\"'").lower(), plain


def _pairs(rest: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for match in PARAMETER.finditer(rest):
        if not match[1]:
            continue
        if match[2] is not None:
            found.append((match[1].lower(), _unescape(match[2])))
        elif match[3] is not None:
            found.append((match[1].lower(), match[3]))
        else:
            found.extend(_unquoted(match[1].lower(), match[4]))
        if len(found) >= MAX_PARAMETERS:
            break
    return found


def _unquoted(name: str, value: str) -> list[tuple[str, str]]:
    """Read a value without quotes; it may hold spaces, or further parameters whose semicolon is missing."""
    first, *others = SPACED_NAMES.split(value)
    found = [(name, COMMENT.sub("", first).strip().strip('"'))]
    for other in others:
        key, _, content = other.partition("=")
        found.append((key.lower(), content.strip().strip('"')))
    return found


def _unescape(value: str) -> str:
    """Undo quoted pairs (RFC 5322 section 3.2.1)."""
    return QUOTED_PAIR.sub(r"\1", value) if "\\" in value else value


def _sort_in(name: str, content: str, plain: dict[str, str], pieces: dict[str, dict[int, tuple[str, bool]]]) -> None:
    """Put one parameter where it belongs; the first of two plain ones of a name counts."""
    match = EXTENDED.match(name) if "*" in name else None
    if match is None or (match[2] is None and match[3] is None):
        plain.setdefault(name, encoded_words.decode(content))
        return
    pieces.setdefault(match[1], {}).setdefault(int(match[2] or 0), (content, match[3] is not None))


def _joined(parts: dict[int, tuple[str, bool]]) -> str:
    """Join the pieces of a continued parameter in the order of their numbers; gaps and a lost star are met."""
    ordered = [parts[number] for number in sorted(parts)]
    if not any(is_extended for _, is_extended in ordered):
        return encoded_words.decode("".join(content for content, _ in ordered))
    first = ordered[0][0]
    name = first.partition("'")[0] if first.count("'") >= 2 else ""
    text = "".join(content if is_extended else _percent(content) for content, is_extended in ordered)
    return encoded_words.decode(encoded_words.extended(text, name))


def _percent(content: str) -> str:
    """Protect a plain piece among extended ones, unless it is percent-encoded all the same."""
    return content if re.search(r"%[0-9A-Fa-f]{2}", content) else content.replace("%", "%25")
