"""A repeatable mix of ordinary mail: 60 % plain, 30 % with HTML, 10 % with attachments; a third are replies."""

from __future__ import annotations

import random
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP

SUBJECTS = (
    "Printer on floor 2",
    "Rechnung für März",
    "Accès refusé",
    "Pregunta sobre la factura",
    "Übertragung bricht ab",
)
SENTENCES = (
    "The printer in our office stops after a few pages and shows an empty message.",
    "Could you please have a look and tell me what you need from us?",
    "Die Verbindung bricht ständig ab, bitte prüfen Sie die Übertragung.",
    "Le problème persiste malgré le redémarrage; où en êtes-vous à ce sujet?",
    "I have already restarted the machine and cleared the cache, without any change.",
    "The address we use is https://portal.client.example/case/17?view=full&lang=en and it times out.",
    "Proszę o pilną odpowiedź, usługa wciąż nie działa.",
)
KINDS = ("plain",) * 6 + ("html",) * 3 + ("files",)


def mails(count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield `count` mails; the same seed gives the same bytes."""
    chance = random.Random(seed)
    for number in range(count):
        yield _mail(chance, number, KINDS[number % len(KINDS)]).as_bytes(policy=SMTP)


def _mail(chance: random.Random, number: int, kind: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"Zoë Müller {number} <zoe.{number}@client.example>"
    mail["To"] = "Support Desk <support@desk.example>"
    mail["Subject"] = ("Re: " if number % 3 == 0 else "") + chance.choice(SUBJECTS)
    mail["Date"] = "Mon, 05 Jan 2026 08:02:17 +0100"
    mail["Message-ID"] = f"<mix-{seed_of(number)}@client.example>"
    if number % 3 == 0:
        mail["In-Reply-To"] = f"<mix-{seed_of(number - 1)}@desk.example>"
        mail["References"] = f"<mix-0@desk.example> <mix-{seed_of(number - 1)}@desk.example>"
    text = _text(chance, chance.randint(1_000, 4_000), quotes=number % 3 == 0)
    mail.set_content(text)
    if kind != "plain":
        mail.add_alternative(_html(text, chance.randint(10_000, 40_000)), subtype="html")
    if kind == "files":
        for name, size in (("scan.pdf", 200_000), ("screenshot.png", 150_000)):
            mail.add_attachment(chance.randbytes(size), maintype="application", subtype="octet-stream", filename=name)
    return mail


def seed_of(number: int) -> str:
    """Return the part of a Message-ID that belongs to a mail's number."""
    return f"{number:06d}-{number * 7919 % 65536:04x}"


def _text(chance: random.Random, size: int, *, quotes: bool) -> str:
    lines = ["Hello,", ""]
    while sum(map(len, lines)) < size:
        lines += [chance.choice(SENTENCES), ""] if chance.random() < 0.3 else [chance.choice(SENTENCES)]
    lines += ["Best regards", "Zoë"]
    if quotes:
        lines += ["", "On Mon, Jan 5, 2026 at 7:40 AM Support Desk <support@desk.example> wrote:"]
        lines += [f"> {chance.choice(SENTENCES)}" for _ in range(8)]
    return "\n".join(lines) + "\n"


def _html(text: str, size: int) -> str:
    rows = "".join(f'<p style="margin:0;color:#333333">{line}</p>\n' for line in text.split("\n"))
    cell = '<td style="padding:8px" align="left"><span>News</span></td>'
    filler = f'<table width="600" cellpadding="0"><tr>{cell}</tr></table>\n'
    return f"<html><head><style>p{{margin:0}}</style></head><body>{rows}{filler * (size // len(filler))}</body></html>"
