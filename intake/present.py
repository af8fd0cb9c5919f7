"""A reading of a mail, for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

SHOWN_LINES = 20


def present(console: Console, told: Mapping[str, Any]) -> None:
    """Print what `letterdesk explain` found in one file."""
    console.rule(escape(str(told["file"])), align="left")
    console.print(_table(told))
    lines = str(told["reply_text"] or told["text"]).strip().split("\n")
    console.print(escape("\n".join(f"  {line}" for line in lines[:SHOWN_LINES])))
    if len(lines) > SHOWN_LINES:
        console.print(f"  [dim]… {len(lines) - SHOWN_LINES} more lines[/dim]")
    decision = told["decision"]
    console.print(f"[bold]{decision['action'].replace('_', ' ')}[/bold]: {escape(decision['reason'])}")
    for clue in decision["clues"]:
        mark = "[green]used[/green]" if clue["used"] else "[yellow]refused[/yellow]"
        note = f" ({escape(clue['note'])})" if clue["note"] else ""
        leads = f" → ticket {clue['ticket']}" if clue["ticket"] is not None else ""
        console.print(f"  {mark} {escape(clue['kind'])} {escape(clue['value'])}{leads}{note}")
    for defect in told["defects"]:
        console.print(f"  [red]![/red] {escape(defect)}")
    console.print()


def _table(told: Mapping[str, Any]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in _rows(told):
        if value:
            table.add_row(f"[dim]{name}[/dim]", escape(value))
    return table


def _rows(told: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    forward, bounce = told["forward"], told["bounce"]
    return (
        ("from", _people([told["from"]] if told["from"] else [])),
        ("to", _people(told["to"])),
        ("cc", _people(told["cc"])),
        ("subject", told["subject"]),
        ("date", told["date"] or ""),
        ("kind", told["kind"] + ("" if told["auto_response_allowed"] else ", never answered automatically")),
        ("forwarded", f"{forward['from_name']} {forward['from_address'] or ''}".strip() if forward else ""),
        ("bounce", f"{bounce['action']} {', '.join(bounce['recipients'])} {bounce['status'] or ''}" if bounce else ""),
        ("attachments", ", ".join(f"{a['filename']} ({a['size']} bytes)" for a in told["attachments"])),
    )


def _people(people: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(f"{p['name']} <{p['address']}>".strip() if p["name"] else p["address"] for p in people)
