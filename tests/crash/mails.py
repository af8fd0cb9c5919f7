"""The mails of a storm: each says who it is, and which mail it answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

DOMAIN = "storm.example"
WORDS = ("the", "kettle", "boils", "and", "nobody", "knows", "why", "it", "does", "not", "stop", "when", "asked", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to one of the desk's mailboxes. `parent` is the key of the mail that it answers."""

    key: str
    sender: str
    mailbox: str
    parent: str | None
    content: bytes = field(repr=False)

    @property
    def message_id(self) -> str:
        return f"{self.key}@{DOMAIN}"


def write(key: str, mailbox: str, chance: random.Random, parent: Mail | None = None) -> Mail:
    """A first mail of somebody new, or an answer of the same person to `parent`."""
    sender = parent.sender if parent else f"{key}@people.example"
    lines = [" ".join(chance.choices(WORDS, k=12)) for _ in range(chance.randint(1, 40))]
    head = {
        "Date": "Sat, 21 Nov 2026 08:30:00 +0000",
        "From": f"Somebody <{sender}>",
        "To": mailbox,
        "Subject": f"Re: Kettle {parent.key}" if parent else f"Kettle {key}",
        "Message-ID": f"<{key}@{DOMAIN}>",
    }
    if parent:
        head |= {"In-Reply-To": f"<{parent.message_id}>", "References": f"<{parent.message_id}>"}
    text = "\r\n".join([f"This is {key}.", ". A dot that stays.", *lines, ""])
    content = "".join(f"{name}: {value}\r\n" for name, value in head.items()) + "\r\n" + text
    return Mail(
        key=key, sender=sender, mailbox=mailbox, parent=parent.key if parent else None, content=content.encode()
    )


def correspondence(name: str, mailboxes: list[str], chance: random.Random) -> Iterator[Mail]:
    """Mails without an end: every third answers one of those before it."""
    roots: list[Mail] = []
    number = 0
    while True:
        number += 1
        key = f"{name}-{number}"
        if number % 3 == 0 and roots:
            parent = chance.choice(roots[-20:])
            yield write(key, parent.mailbox, chance, parent)
        else:
            roots.append(write(key, chance.choice(mailboxes), chance))
            yield roots[-1]
