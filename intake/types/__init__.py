"""The values that travel between the stages.

All are frozen: a stage returns a new value and never edits the one it was given. None of them knows
a database, a socket or a framework.
"""

from __future__ import annotations

from intake.types.decisions import (
    ACTIONS,
    AppendArticle,
    Clue,
    Decision,
    Discard,
    Hold,
    OpenTicket,
    Quarantine,
    RecordBounce,
    Refresh,
)
from intake.types.facts import Arrival, Block, Facts, PersonOrder, Reference, SentCopy, Thread
from intake.types.reading import Attachment, Bounce, BounceAction, Fold, FoldKind, Forward, Kind, ParsedMessage, Person
from intake.types.receiving import FolderPosition, RawMessage, Source
from intake.types.sending import Deferred, Outcome, Refused, Sent, Unanswered, Unreachable

__all__ = [
    "ACTIONS",
    "AppendArticle",
    "Arrival",
    "Attachment",
    "Block",
    "Bounce",
    "BounceAction",
    "Clue",
    "Decision",
    "Deferred",
    "Discard",
    "Facts",
    "Fold",
    "FoldKind",
    "FolderPosition",
    "Forward",
    "Hold",
    "Kind",
    "OpenTicket",
    "Outcome",
    "ParsedMessage",
    "Person",
    "PersonOrder",
    "Quarantine",
    "RawMessage",
    "RecordBounce",
    "Reference",
    "Refresh",
    "Refused",
    "Sent",
    "SentCopy",
    "Source",
    "Thread",
    "Unanswered",
    "Unreachable",
]
