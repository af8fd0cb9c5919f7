"""Mail over the limit: taken without its large parts, said so, and never moved or deleted on its server."""

from __future__ import annotations

from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from intake.parsing.message import parse
from intake.receiving.imap import Desk, poll
from shared.database import Database
from shared.mailboxes import NewMailbox
from shared.tokens import Tokens
from tests.bad_imap import WELL, bad_imap
from tests.dovecot import PASSWORD, Dovecot
from tests.receiving import DESK, content_of, imap_mailbox, mailbox_of, polling, stored

LIMIT = 50_000
LARGE = 3_000_000


@pytest.fixture
def dovecot(dovecot: Dovecot) -> Dovecot:
    with dovecot.client() as client:
        for content in (b"Subject: before\r\n\r\nText\r\n", large_mail(), b"Subject: after\r\n\r\nText\r\n"):
            client.append("INBOX", content)
    return dovecot


def large_mail() -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["Subject"], message["Message-ID"] = "anna@example.org", "Fire", "<1@example.org>"
    message.set_content("It is on fire: see the photo.\n")
    message.add_attachment(b"p" * LARGE, maintype="image", subtype="jpeg", filename="photo.jpg")
    message.add_attachment(b"n" * 100, maintype="application", subtype="pdf", filename="note.pdf")
    return message.as_bytes()


def mailbox_with(database: Database, tokens: Tokens, dovecot: Dovecot, policy: str) -> int:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD, policy=policy)
    return imap_mailbox(database, tokens, new)


def limited(database: Database, tokens: Tokens) -> Desk:
    return replace(polling(database, tokens), max_message_bytes=LIMIT)


WHY = (
    "The mail is 4 MB large, over the limit of 50 kB, so its large parts were left out. "
    "The whole mail stays in the mailbox's folder “INBOX” (UID 2)."
)


def test_a_large_mail_is_taken_without_its_large_part_and_says_so(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    result = poll(mailbox_with(database, tokens, dovecot, "keep"), limited(database, tokens))
    assert (result.stored, result.skipped, result.fault, result.note) == (3, 0, None, None)
    row = stored(database)[1]
    assert row.size < LIMIT
    assert row.notes == [
        WHY,
        "Left out: “photo.jpg” (3 MB).",
    ]
    read = parse(content_of(row))
    assert (read.subject, read.text) == ("Fire", "It is on fire: see the photo.\n")
    assert {file.filename: file.size for file in read.attachments}.keys() == {"photo.jpg (left out).txt", "note.pdf"}
    assert read.defects == ("There is no date.",)  # nothing is wrong with how it was put together
    assert [each.notes for each in stored(database)[::2]] == [[], []]


@pytest.mark.parametrize("policy", ["delete", "move:Done"])
def test_the_only_whole_copy_is_never_deleted_or_moved(
    database: Database, tokens: Tokens, dovecot: Dovecot, policy: str
) -> None:
    mailbox, desk = mailbox_with(database, tokens, dovecot, policy), limited(database, tokens)
    first, second = poll(mailbox, desk), poll(mailbox, desk)
    assert (first.stored, second.stored, second.note) == (3, 0, None)
    assert dovecot.uids() == dovecot.uids(criteria="SEEN") == [2]


def test_a_large_mail_whose_folder_is_numbered_anew_is_known_again(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    mailbox, desk = mailbox_with(database, tokens, dovecot, "keep"), limited(database, tokens)
    poll(mailbox, desk)
    dovecot.replace_uidvalidity()
    assert poll(mailbox, desk).stored == 3
    large = [parse(content_of(row)).fingerprint for row in stored(database) if row.notes]
    assert len(large) == 2
    assert len(set(large)) == 1


WHEN = b'INTERNALDATE "01-Apr-2026 10:00:00 +0000"'
CONTENT = b"From: anna@example.org\r\nSubject: Fire\r\n\r\n" + b"A line of text.\r\n" * 100
STRUCTURES = {
    "garbage": b"BODYSTRUCTURE (((",
    "a word": b"BODYSTRUCTURE garbage",
    "nothing": b"BODYSTRUCTURE NIL",
    "numbers": b"BODYSTRUCTURE (1 2 3)",
    "far too deep": b"BODYSTRUCTURE " + b"(" * 3000 + b")" * 3000,
    "another thing": b"FLAGS ()",
}


@pytest.mark.parametrize("told", STRUCTURES.values(), ids=STRUCTURES.keys())
def test_where_the_structure_is_garbage_the_beginning_of_the_mail_is_taken(
    database: Database, tokens: Tokens, told: bytes
) -> None:
    def fetch(line: bytes) -> bytes:
        if b"BODYSTRUCTURE" in line:
            said = told
        elif b"BODY.PEEK[]<" in line:
            start, length = map(int, line.split(b"<")[1].split(b">")[0].split(b"."))
            piece = CONTENT[start : start + length]
            said = b"BODY[]<%d> {%d}\r\n%s" % (start, len(piece), piece)
        else:
            said = b"RFC822.SIZE 90000000 " + WHEN
        return b"* 1 FETCH (UID 1 " + said + b")\r\n%(tag)s OK done\r\n"

    with bad_imap(answers=WELL | {b"FETCH": fetch}) as port:
        new = NewMailbox(address=DESK, imap_url=f"imap://anna@127.0.0.1:{port}", password=PASSWORD)
        mailbox = imap_mailbox(database, tokens, new)
        result = poll(mailbox, replace(polling(database, tokens), max_message_bytes=500))
    assert (result.stored, result.fault) == (1, None)
    row = stored(database)[0]
    assert content_of(row) == CONTENT[:500]
    assert "only its beginning was taken" in row.notes[0]


def test_a_literal_that_no_mail_can_have_breaks_the_connection_and_takes_no_memory(
    database: Database, tokens: Tokens
) -> None:
    announced = b"* 1 FETCH (UID 1 RFC822.SIZE 9 " + WHEN + b" BODY[] {99999999999999}\r\n"
    with bad_imap(answers=WELL | {b"FETCH": announced}) as port:
        new = NewMailbox(address=DESK, imap_url=f"imap://anna@127.0.0.1:{port}", password=PASSWORD)
        mailbox = imap_mailbox(database, tokens, new)
        result = poll(mailbox, polling(database, tokens))
    assert "announces 99999999999999 bytes at once" in (result.fault or "")
    assert mailbox_of(database, mailbox).failures == 1
