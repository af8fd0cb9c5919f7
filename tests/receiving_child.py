"""An SMTP server in a process of its own, to be killed. Prints its port; ends with its standard input.

Argument: the database's URL.
"""

from __future__ import annotations

import sys

from intake.receiving.smtp import Listener, SmtpServer
from intake.receiving.spool import Spool
from shared.database import Database


def main(url: str) -> None:
    database = Database(url)
    spool = Spool(database)
    spool.start()
    listener = Listener(name="SMTP", address=("127.0.0.1", 0))
    server = SmtpServer(listeners=[listener], spool=spool, database=database, desk_address="support@desk.example")
    server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()
    spool.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
