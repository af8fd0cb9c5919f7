"""An IMAP server that is up to no good: it says what it is told to, then stalls or hangs up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

Answer = bytes | Callable[[bytes], bytes]  # to a command, or made from its line

GREETING = b"* OK ready\r\n"
WELL: dict[bytes, Answer] = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n%(tag)s OK done\r\n",
    b"LOGIN": b"%(tag)s OK done\r\n",
    b"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 2] x\r\n%(tag)s OK [READ-WRITE] done\r\n",
    b"SEARCH": b"* SEARCH 1\r\n%(tag)s OK done\r\n",
    b"LOGOUT": b"* BYE bye\r\n%(tag)s OK done\r\n",
}
IDLING: dict[bytes, Answer] = WELL | {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE\r\n%(tag)s OK done\r\n",
    b"SEARCH": b"* SEARCH\r\n%(tag)s OK done\r\n",
    b"IDLE": b"+ idling\r\n",
    b"DONE": b"%(tag)s OK done\r\n",
}

THREE: dict[bytes, Answer] = WELL | {
    b"SELECT": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 4] x\r\n%(tag)s OK [READ-WRITE] done\r\n",
    b"SEARCH": b"* SEARCH 1 2 3\r\n%(tag)s OK done\r\n",
}


def everything(_: bytes) -> bool:
    return True


def nothing(_: bytes) -> bool:
    return False


class FickleFolder:
    """Three mails of one size, with another INTERNALDATE at each look; also other bytes, where `is_changing`.

    `refuses` says which FETCH of the beginnings of mails is answered with NO. All commands about them are kept.
    """

    def __init__(self, *, is_changing: bool = False, refuses: Callable[[bytes], bool] = nothing) -> None:
        self.is_changing = is_changing
        self.refuses = refuses
        self.lines: list[bytes] = []

    @property
    def answers(self) -> Mapping[bytes, Answer]:
        return THREE | {b"FETCH": self._fetch, b"STORE": self._store}

    def _fetch(self, line: bytes) -> bytes:
        self.lines.append(line)
        if b"<" in line and self.refuses(line):
            return b"%(tag)s NO not now\r\n"
        return b"".join(self._said(line, uid) for uid in (1, 2, 3)) + b"%(tag)s OK done\r\n"

    def _said(self, line: bytes, uid: int) -> bytes:
        looks = len(self.lines)
        mail = b"Subject: mail %d\r\n\r\n%06d\r\n" % (uid, looks if self.is_changing else 0)
        if b"SIZE" in line:
            date = b"02-Mar-2026 12:%02d:%02d +0000" % divmod(looks, 60)
            return b'* %d FETCH (UID %d RFC822.SIZE %d INTERNALDATE "%s")\r\n' % (uid, uid, len(mail), date)
        section = b"BODY[]<0>" if b"<" in line else b"BODY[]"
        return b"* %d FETCH (UID %d %s {%d}\r\n%s)\r\n" % (uid, uid, section, len(mail), mail)

    def _store(self, line: bytes) -> bytes:
        self.lines.append(line)
        return b"%(tag)s NO not now\r\n"


class BadImap:
    """Talks to one client after the other. No answer to a command hangs up, an empty one stalls."""

    def __init__(self, greeting: bytes, answers: Mapping[bytes, Answer]) -> None:
        self.ended = threading.Event()
        self._greeting = greeting
        self._answers = answers

    def serve(self, listener: socket.socket) -> None:
        while not self.ended.is_set():
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.sendall(self._greeting)
        tag = b""
        with connection.makefile("rb") as lines:
            for line in lines:
                first, *rest = line.upper().split()
                tag = first if rest else tag  # DONE has none of its own
                words = [*rest, first]
                answer = self._answers.get(words[1] if words[0] == b"UID" else words[0])
                said = answer(line) if callable(answer) else answer
                if not said:
                    self.ended.wait(60 if said == b"" else 0)
                    return
                connection.sendall(said.replace(b"%(tag)s", tag))


@contextmanager
def bad_imap(greeting: bytes = GREETING, answers: Mapping[bytes, Answer] = WELL) -> Iterator[int]:
    """Run a bad server on the port that is yielded."""
    server = BadImap(greeting, answers)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.serve, args=(listener,))
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.ended.set()
            with socket.create_connection(listener.getsockname()):
                pass  # wakes accept()
            thread.join()
