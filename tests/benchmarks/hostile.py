"""Mails made to keep a reader busy, in any size. Each maker returns a mail of about `size` bytes."""

from __future__ import annotations

from collections.abc import Callable

Maker = Callable[[int], bytes]
HEAD = (
    b"From: Eve <eve@attacker.example>\r\nTo: desk@desk.example\r\nSubject: Re: hello\r\n"
    b"Message-ID: <1@attacker.example>\r\n"
)


def text(line: bytes) -> Maker:
    """Repeat a piece of plain text."""
    return lambda size: HEAD + b"\r\n" + line * (size // len(line))


def html(piece: bytes, before: bytes = b"", after: bytes = b"") -> Maker:
    """Repeat a piece of HTML."""
    head = HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n"
    return lambda size: head + before + piece * (size // len(piece)) + after


def header(name: bytes, piece: bytes, before: bytes = b"") -> Maker:
    """Repeat a piece inside one header."""
    return lambda size: HEAD + name + b": " + before + piece * (size // len(piece)) + b"\r\n\r\nHello\r\n"


def encoded(encoding: bytes, piece: bytes, kind: bytes = b"text/plain; charset=utf-8") -> Maker:
    """Repeat a piece of an encoded body."""
    head = HEAD + b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n"
    return lambda size: head + piece * (size // len(piece))


def nested_parts(size: int) -> bytes:
    """Put multiparts into each other, as deep as the size allows."""
    levels = size // 90
    opened = (b'Content-Type: multipart/mixed; boundary="b%07d"\r\n\r\n--b%07d\r\n' % (n, n) for n in range(levels))
    return HEAD + b"".join(opened) + b"\r\nHello\r\n"


def nested_mails(size: int) -> bytes:
    """Attach mails to mails."""
    return (HEAD + b"Content-Type: message/rfc822\r\n\r\n") * (size // 170) + HEAD + b"\r\nHello\r\n"


def many_parts(size: int) -> bytes:
    """Split a mail into parts of nothing."""
    head = HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    return head + b"--b\r\n\r\nx\r\n" * (size // 10) + b"--b--\r\n"


def one_boundary(size: int) -> bytes:
    """Give all levels the same boundary."""
    level = b'--b\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    return HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + level * (size // len(level))


def winmail(size: int) -> bytes:
    """Send a winmail.dat of empty attributes."""
    head = HEAD + b"Content-Type: application/ms-tnef; name=winmail.dat\r\n\r\n\x78\x9f\x3e\x22\x00\x00"
    return head + b"\x02\x02\x90\x06\x00\x00\x00\x00\x00\x00\x00" * (size // 11)


def invitation(size: int) -> bytes:
    """Invite everybody."""
    head = HEAD + b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"
    return head + b"ATTENDEE:mailto:a@client.example\r\n" * (size // 35) + b"END:VEVENT\r\nEND:VCALENDAR\r\n"


MAILS: dict[str, Maker] = {
    "one long line": text(b"a"),
    "one long line of words": text(b"word "),
    "blank lines": text(b"\r\n"),
    "spaces": text(b" "),
    "bare CR": text(b"\r"),
    "NULs": text(b"\0"),
    "8-bit without a charset": text(b"\xe9\xf1 \x81caf\xe9\r\n"),
    "> ladders": text(b">"),
    "> lines": text(b"> > > quoted\r\n"),
    "On ... wrote bait": text(b"On Monday, "),
    "On ... wrote lines": text(b"On Mon, Jan 5, 2026 at 9:00 AM Eve <eve@attacker.example>\r\n"),
    "wrote: lines": text(b"Eve wrote:\r\n"),
    "-- lines": text(b"-- \r\n"),
    "From: lines": text(b"From: Eve <eve@attacker.example>\r\nSent: today\r\nTo: x\r\nSubject: y\r\n\r\n"),
    "forward bait": text(b"---------- Forwarded message ---------\r\n"),
    "dashes": text(b"-"),
    "underscores": text(b"_"),
    "address bait": text(b"a@b."),
    "550 bait": text(b"550 5.1.1 <a@b.example> "),
    "begin bait": text(b"begin 644 a\r\n"),
    "link bait": text(b"http://"),
    "nested divs": html(b"<div>"),
    "nested blockquotes": html(b"<blockquote>"),
    "nested fonts": html(b"<font><p>"),
    "nested tables": html(b"<table><tr><td>"),
    "comment flood": html(b"<!--"),
    "comments": html(b"<!---->"),
    "open brackets": html(b"<"),
    "ampersands": html(b"&"),
    "attributes": html(b"a=b ", b"<p ", b">"),
    "images": html(b"<img src=http://t.attacker.example/x>"),
    "styles": html(b"color:red;", b"<p style='", b"'>"),
    "links without end": html(b"<a href=x>"),
    "paragraphs": html(b"<p>Hello<br>"),
    "table rows": html(b"<tr><td>1<td>2"),
    "list items": html(b"<ul><li>x"),
    "preformatted": html(b"x\n", b"<pre>"),
    "script bait": html(b"<script>"),
    "nested parts": nested_parts,
    "nested mails": nested_mails,
    "many parts": many_parts,
    "one boundary for all": one_boundary,
    "winmail.dat": winmail,
    "invitation": invitation,
    "100,000 addresses": header(b"Cc", b"a@client.example, "),
    "brackets in an address": header(b"Cc", b"<"),
    "comments in an address": header(b"Cc", b"("),
    "quotes in an address": header(b"Cc", b'"\\'),
    "names without addresses": header(b"Cc", b"a,"),
    "group bait": header(b"Cc", b"a:"),
    "encoded words": header(b"X-Note", b"=?utf-8?q?a?= "),
    "encoded word bait": header(b"Subject", b"=?utf-8?q?a?"),
    "encoded word begin": header(b"Subject", b"=?"),
    "Message-IDs": header(b"References", b"<a@b.example> "),
    "Message-ID bait": header(b"References", b"<"),
    "parameters": header(b"Content-Disposition", b"a*0*=x; ", b"attachment; "),
    "parameter bait": header(b"Content-Type", b'a="', b"text/plain; "),
    "folded header": header(b"X-Note", b"a\r\n "),
    "headers": lambda size: HEAD + b"X-Note: a\r\n" * (size // 11) + b"\r\nHello\r\n",
    "junk headers": lambda size: HEAD + b"no header\r\n" * (size // 11) + b"Received: x\r\n\r\nHello\r\n",
    "base64 without end": encoded(b"base64", b"QUJD" * 18 + b"\r\n"),
    "base64 of equals": encoded(b"base64", b"QQ=="),
    "base64 of rubbish": encoded(b"base64", b"Q!J?"),
    "quoted-printable": encoded(b"quoted-printable", b"=C3=A4=\r\n"),
    "equals signs": encoded(b"quoted-printable", b"="),
    "flowed": encoded(b"7bit", b">> flows \r\n", b"text/plain; format=flowed"),
    "ISO-2022-JP": encoded(b"7bit", b"\x1b$B", b"text/plain; charset=iso-2022-jp"),
    "UTF-7": encoded(b"7bit", b"+AGE-", b"text/plain; charset=utf-7"),
    "delivery report": encoded(b"7bit", b"Final-Recipient: rfc822;a@b.example\r\n\r\n", b"message/delivery-status"),
    "rich text": encoded(b"7bit", b"{\\rtf1", b"text/richtext"),
}
