"""Words of out-of-office answers, in some thirty-five languages. They are weak: people write about absence too."""

from __future__ import annotations

from intake.parsing import automatic_words as words
from intake.parsing.headers import Headers
from intake.parsing.mail_system import bare_subject, is_answer

MAX_TEXT = 3000  # characters of the text whose words count
BEGINNINGS = tuple(dict.fromkeys(phrase for phrases in words.SUBJECTS.values() for phrase in phrases))
PHRASES = tuple(dict.fromkeys(phrase for phrases in words.TEXTS.values() for phrase in phrases))


def in_subject(headers: Headers) -> str:
    """The phrase with which a subject begins as such answers do, "" for none and for a person's answer to one."""
    if is_answer(headers) and {"in-reply-to", "references"} & headers.names():
        return ""
    subject = bare_subject(headers)
    if not subject.startswith(BEGINNINGS):
        return ""
    begun = (phrase for phrase in BEGINNINGS if subject.startswith(phrase))
    return next((phrase for phrase in begun if stands_alone(subject[len(phrase) :])), "")


def stands_alone(rest: str) -> bool:
    """Whether what follows a phrase leaves it a phrase of its own: “Vacation until …”, not “Vacation request”."""
    following = rest.split(maxsplit=1)[0] if rest.strip() else ""
    return following[:1] in words.AFTER_MARKS or (rest[:1].isspace() and following in words.AFTER_WORDS)


def in_text(text: str) -> bool:
    """Whether the beginning of a text speaks of absence or of an automatic answer."""
    plain = " ".join(text[:MAX_TEXT].lower().split())
    return any(phrase in plain for phrase in PHRASES)
