"""What the desk reads in a mail, as `letterdesk explain --json` says it."""

from __future__ import annotations

from dataclasses import asdict

from intake.types import Attachment, Bounce, ParsedMessage, Person


def describe(path: str, parsed: ParsedMessage) -> dict[str, object]:
    """Return a reading under the names of the contract, ready for JSON; `decision` is not among them."""
    return {
        "file": path,
        "kind": parsed.kind.value,
        "auto_response_allowed": parsed.auto_response_allowed,
        "from": _person(parsed.sender) if parsed.sender else None,
        "reply_to": [_person(person) for person in parsed.reply_to],
        "to": [_person(person) for person in parsed.to],
        "cc": [_person(person) for person in parsed.cc],
        "subject": parsed.subject,
        "message_id": parsed.message_id,
        "in_reply_to": parsed.in_reply_to,
        "references": list(parsed.references),
        "date": parsed.date.isoformat() if parsed.date else None,
        "text": parsed.text,
        "reply_text": parsed.reply_text,
        "html": parsed.html,
        "attachments": [_attachment(attachment) for attachment in parsed.attachments],
        "forward": asdict(parsed.forward) if parsed.forward else None,
        "bounce": _bounce(parsed.bounce) if parsed.bounce else None,
        "defects": list(parsed.defects),
    }


def _person(person: Person) -> dict[str, object]:
    return {"address": person.address, "name": person.name}


def _attachment(attachment: Attachment) -> dict[str, object]:
    return {
        "filename": attachment.filename,
        "content_type": attachment.content_type,
        "size": attachment.size,
        "sha256": attachment.sha256,
        "inline": attachment.inline,
        "content_id": attachment.content_id,
    }


def _bounce(bounce: Bounce) -> dict[str, object]:
    return {
        "recipients": list(bounce.recipients),
        "action": bounce.action.value,
        "status": bounce.status,
        "diagnostic": bounce.diagnostic,
        "original_message_id": bounce.original_message_id,
    }
