"""Whether a server of ours has marked a mail as spam: its own header fields say so, and nobody else's are believed.

Every server writes its fields on top of what it got, so a field counts only while all Received fields above it were
written by trusted hosts, and at least one was (RFC 5321 section 4.4; as RFC 8601 section 5 asks of its own field).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

MAX_RECEIVED = 4000  # characters of one field that are looked at
MAX_MARK = 120  # characters of a mark that are kept
SPAM_LEVEL = 5  # Microsoft's SCL: from here on its own mailboxes put mail into Junk

Verdict = Callable[[str], bool]


def find(fields: Iterable[tuple[str, str]], trusted_hosts: frozenset[str]) -> str | None:
    """The field by which a trusted host marks the mail as spam, as `Name: value`; None where none does.

    `fields` stand in the order of the mail. `trusted_hosts` are names in lower case; one that begins with a dot stands
    for every host below that domain.
    """
    found: str | None = None
    trusts = False
    for name, value in fields if trusted_hosts else ():
        lowered = name.lower()
        if lowered == "received":
            if not _is_trusted(by_host(value), trusted_hosts):
                break
            trusts = True
        elif found is None and _marks(lowered, value):
            found = f"{name}: {' '.join(value.split())}"[:MAX_MARK]
    return found if trusts else None


def by_host(received: str) -> str:
    """The host that wrote a Received field, in lower case: what stands behind “by”; "" where nothing does."""
    words = _without_comments(received[:MAX_RECEIVED]).split()
    clauses = words[2:] if words and words[0].lower() == "from" else words  # a host may greet as “by”
    return next((host.lower().rstrip(".;,") for word, host in pairwise(clauses) if word.lower() == "by"), "")


def _is_trusted(host: str, trusted_hosts: frozenset[str]) -> bool:
    return host in trusted_hosts or any(name.startswith(".") and host.endswith(name) for name in trusted_hosts)


def _without_comments(value: str) -> str:
    """A field without its comments, which may be nested (RFC 5322 section 3.2.2)."""
    kept: list[str] = []
    depth = 0
    for part in re.split(r"([()])", value):
        if part == "(":
            depth += 1
        elif part == ")":
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(part)
    return " ".join(kept)


def _marks(name: str, value: str) -> bool:
    verdict = MARKS.get(name) or next((v for ending, v in ENDINGS.items() if name.endswith(ending)), None)
    return verdict is not None and verdict(" ".join(value.lower().split()))


# ------------------------------------------------------------------ what the filters write


def _says(*words: str) -> Verdict:
    """The first word is one of these."""
    return lambda value: re.split(r"[\s,;(:]", value, maxsplit=1)[0] in words


def _holds(pattern: str) -> Verdict:
    return lambda value: re.search(pattern, value) is not None


def _level(value: str) -> bool:
    return value.isascii() and value.isdigit() and int(value[:4]) >= SPAM_LEVEL


def _forefront(value: str) -> bool:
    """`…;SCL:5;…;SFV:SPM;…`: by the filter, by a rule for all mail (SKS), or by the reader's own list (SKB)."""
    said = dict(part.strip().split(":", 1) for part in value.split(";") if ":" in part)
    return said.get("sfv") in {"spm", "sks", "skb"} or _level(said.get("scl", ""))


YES = _says("yes", "true", "1", "spam")
ACTION = _holds(r"^(reject|add header|rewrite subject|quarantine|discard)\b")

MARKS: Mapping[str, Verdict] = {
    # SpamAssassin, amavis, Rspamd, and those who write as they do
    "x-spam": YES,
    "x-spam-flag": YES,
    "x-spam-status": YES,
    "x-spam-action": ACTION,
    "x-rspamd-action": ACTION,
    "x-spamd-result": _holds(r"^default: true\b"),
    # Exchange and Microsoft 365
    "x-ms-exchange-organization-scl": _level,
    "x-forefront-antispam-report": _forefront,
    "x-microsoft-antispam-mailbox-delivery": _holds(r"(^|;) ?dest:j\b"),
    # gateways and appliances
    "x-assp-spam": YES,
    "x-barracuda-spam-flag": YES,
    "x-barracuda-spam-status": YES,
    "x-bitdefender-spam": YES,
    "x-eset-as": _holds(r"\br=spam\b"),
    "x-hmailserver-spam": YES,
    "x-klms-antispam-status": _says("spam", "probable"),
    "x-ksmg-antispam-status": _says("spam", "probable"),
    "x-nai-spam-flag": YES,
    "x-proofpoint-spam-details": _holds(r"\brule=(?!\S*notspam)\S*spam"),
    "x-tm-as-result": _holds(r"^yes\b"),
    # providers
    "x-ovh-spam-status": YES,
    "x-ses-spam-verdict": _says("fail"),
    "x-ui-filterresults": _says("junk"),
    "x-va-spam-flag": YES,
    "x-vr-spamstate": _says("spam", "high"),
    "x-yandex-spam": _says("4"),
    # classifiers
    "x-bogosity": YES,
    "x-crm114-status": YES,
    "x-dspam-result": _says("spam", "blacklisted", "blocklisted"),
    "x-spambayes-classification": YES,
}
ENDINGS: Mapping[str, Verdict] = {"-mailscanner-spamcheck": YES}  # behind the name of whoever runs it
