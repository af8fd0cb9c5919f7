"""The front door: the command `letterdesk`, which composes intake and portal. The work itself is done there.

Each command is loaded when it is called: most need little of what the desk is made of, and answer the sooner.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from shared.errors import UserError

FAULTS = (UserError,)

COMMANDS = {
    "backup": ("shared.backup.commands:backup", "Write the whole desk into FILE, while it runs."),
    "demo": ("intake.commands:run_demo", "Send a handful of sample mails into the running desk."),
    "doctor": ("intake.commands:run_doctor", "Check settings, database, mailboxes and the outgoing server."),
    "explain": ("intake.commands:explain_mail", "Say what stands in mail files, and what the desk would do."),
    "intake": ("intake.run_commands:run_intake", "Run the half that takes mail in, processes it and sends."),
    "mailbox": ("intake.mailbox_commands:mailbox", "The addresses of the desk, and how their mail comes in."),
    "migrate": ("shared.commands:migrate", "Bring the database to this version."),
    "outbox": ("intake.outbox_commands:outbox", "The mail that goes out, and what became of it."),
    "replay": ("intake.ledger_commands:replay", "Process stored mail again."),
    "restore": ("shared.backup.commands:restore", "Make the desk what it was when a backup was made."),
    "run": ("intake.run_commands:run", "Run everything on this machine: mail in, mail out, portal."),
    "status": ("shared.commands:print_status", "Say how many mails and tickets there are, and in which state."),
    "user": ("portal.commands:user", "People, from the shell."),
    "worker": ("intake.run_commands:run_worker", ""),
}


class Commands(click.Group):
    """The commands of this file and those of the table, which are loaded by their name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        own = {name: part.get_short_help_str() for name, part in self.commands.items()}
        told = own | {name: sentence for name, (_, sentence) in COMMANDS.items() if sentence}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(told.items()))


def main() -> None:
    """Run a command. A fault is one line on standard error and exit status 1; wrong usage is 2."""
    try:
        command()
    except FAULTS as error:
        _stop(str(error))
    except _database_errors() as error:
        _stop(f"The database cannot be used: {str(error.__cause__ or error).strip().splitlines()[0]}")


def _database_errors() -> tuple[type[Exception], ...]:
    """What SQLAlchemy raises. Asked only when something was raised: by then it is loaded, or was not needed."""
    loaded = sys.modules.get("sqlalchemy.exc")
    return (loaded.SQLAlchemyError,) if loaded else ()


def _stop(sentence: str) -> None:
    print(f"letterdesk: {sentence}", file=sys.stderr)
    sys.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="letterdesk")
def command() -> None:
    """A help desk whose front door is a mailbox."""


@command.command("portal")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that serve.")
@click.option("--with-parent", is_flag=True, hidden=True)
def run_portal(*, workers: int, with_parent: bool) -> None:
    """Run the half that people look at."""
    from intake.parsing.attachments import extract  # noqa: PLC0415 - the portal shows mail, and never meets intake
    from intake.parsing.message import parse  # noqa: PLC0415
    from portal.server import serve  # noqa: PLC0415

    serve(workers=workers, with_parent=with_parent, extract=extract, read=lambda raw: parse(raw).text)


if __name__ == "__main__":
    main()
