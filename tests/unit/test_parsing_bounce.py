"""Which mail is a bounce, and what a bounce says."""

from __future__ import annotations

from pathlib import Path

import pytest

from intake.parsing import bounce, content
from intake.parsing.structure import split
from intake.types import Bounce, BounceAction

MAILS = Path(__file__).parent.parent / "mails"


def read(mail: str, *, envelope_from: str | None = None) -> Bounce | None:
    """Read a mail whose text is all that follows its header."""
    root, _ = split(mail.encode())
    return bounce.find(root, root.headers(), mail.partition("\n\n")[2], envelope_from=envelope_from)


def sample(name: str) -> Bounce | None:
    root, _ = split((MAILS / f"{name}.eml").read_bytes())
    return bounce.find(root, root.headers(), content.read(root).text, envelope_from=None)


def report(fields: str, *, kind: str = "message/delivery-status", extra: str = "") -> str:
    return (
        "From: MAILER-DAEMON@mx.example\nTo: help@desk.example\nSubject: Undeliverable\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        f"--b\nContent-Type: text/plain\n\nSorry.\n\n--b\nContent-Type: {kind}\n{extra}\n{fields}\n\n--b--\n"
    )


def prose(
    text: str, *, sender: str = "MAILER-DAEMON@mx.example", subject: str = "failure notice", more: str = ""
) -> str:
    return f"From: {sender}\nTo: help@desk.example\nSubject: {subject}\n{more}\n{text}\n"


def known(mail: str) -> Bounce:
    found = read(mail)
    assert found is not None
    return found


# ------------------------------------------------------------------ RFC 3464


def test_original_recipient_counts_before_final_recipient() -> None:
    found = known(
        report("Original-Recipient: rfc822;ann@a.example\nFinal-Recipient: rfc822;x17@b.example\nAction: failed")
    )
    assert found.recipients == ("ann@a.example",)


def test_final_recipient_counts_where_the_original_one_is_no_address() -> None:
    found = known(report("Original-Recipient: x400;/C=DE/\nFinal-Recipient: rfc822;ann@a.example\nAction: failed"))
    assert found.recipients == ("ann@a.example",)


@pytest.mark.parametrize(
    "value",
    [
        "rfc822;ann@a.example",
        "RFC822 ; <ann@a.example>",
        "<ann@a.example>",
        'rfc822;"ann@a.example"',
        "rfc822;ann@a.example (Ann)",
        "rfc822;@relay.example:ann@a.example",
        "utf-8;\\x{61}nn@a.example",
        "rfc822;ann@a.example.",
    ],
)
def test_recipients_are_read_in_every_dress(value: str) -> None:
    assert known(report(f"Final-Recipient: {value}\nAction: failed")).recipients == ("ann@a.example",)


@pytest.mark.parametrize(
    ("value", "action"),
    [
        ("failed", BounceAction.FAILED),
        ("Failed (mailbox gone)", BounceAction.FAILED),
        ("error", BounceAction.FAILED),
        ("delayed", BounceAction.DELAYED),
        ("DELAYED; will retry", BounceAction.DELAYED),
        ("delivered", BounceAction.DELIVERED),
        ("relayed", BounceAction.DELIVERED),
        ("expanded", BounceAction.DELIVERED),
    ],
)
def test_actions_are_read_with_comments_and_misspellings(value: str, action: BounceAction) -> None:
    assert known(report(f"Final-Recipient: rfc822;ann@a.example\nAction: {value}")).action is action


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ("Status: 5.1.1", BounceAction.FAILED),
        ("Status: 4.2.2", BounceAction.DELAYED),
        ("Status: 4.4.7", BounceAction.FAILED),
        ("Status: 2.0.0", BounceAction.DELIVERED),
        ("Diagnostic-Code: smtp; 451 busy", BounceAction.DELAYED),
        ("Diagnostic-Code: smtp; 550 no", BounceAction.FAILED),
        ("Remote-MTA: dns; mx.example", BounceAction.FAILED),
    ],
)
def test_a_missing_action_is_told_by_the_codes(fields: str, action: BounceAction) -> None:
    assert known(report(f"Final-Recipient: rfc822;ann@a.example\n{fields}")).action is action


def test_status_is_taken_from_the_diagnostic_where_it_is_missing() -> None:
    found = known(report("Final-Recipient: rfc822;ann@a.example\nDiagnostic-Code: smtp; 550 5.7.1 no from 5.1.1.9"))
    assert found.status == "5.7.1"


def test_an_ip_address_is_no_status() -> None:
    found = known(report("Final-Recipient: rfc822;ann@a.example\nDiagnostic-Code: smtp; 550 refused by 5.1.1.9"))
    assert found.status is None


def test_diagnostic_is_the_servers_own_words_on_one_line() -> None:
    found = known(report("Final-Recipient: rfc822;ann@a.example\nDiagnostic-Code: smtp; 550 5.1.1\n  unknown\n\tuser"))
    assert found.diagnostic == "550 5.1.1 unknown user"


def test_fields_without_a_blank_line_between_recipients_are_told_apart() -> None:
    fields = (
        "Reporting-MTA: dns; mx.example\nFinal-Recipient: rfc822;ann@a.example\nAction: failed\n"
        "Final-Recipient: rfc822;bob@a.example\nAction: failed"
    )
    assert known(report(fields)).recipients == ("ann@a.example", "bob@a.example")


def test_a_recipient_torn_apart_by_blank_lines_is_put_together() -> None:
    found = known(
        report("Reporting-MTA: x\n\n\nFinal-Recipient: rfc822;ann@a.example\n\n\nAction: delayed\nStatus: 4.2.2")
    )
    assert (found.action, found.status) == (BounceAction.DELAYED, "4.2.2")


def test_recipients_are_those_with_the_worst_outcome() -> None:
    fields = (
        "Final-Recipient: rfc822;ann@a.example\nAction: delivered\n\n"
        "Final-Recipient: rfc822;bob@a.example\nAction: failed\n\n"
        "Final-Recipient: rfc822;eve@a.example\nAction: delayed"
    )
    assert known(report(fields)).recipients == ("bob@a.example",)


@pytest.mark.parametrize(
    "kind", ["message/delivery-status", "text/plain; name=details.txt", "application/octet-stream"]
)
def test_a_report_is_found_under_wrong_content_types(kind: str) -> None:
    found = known(report("Final-Recipient: rfc822;ann@a.example\nAction: delayed\nStatus: 4.2.2", kind=kind))
    assert (found.recipients, found.status) == (("ann@a.example",), "4.2.2")


def test_a_report_that_names_nobody_takes_the_recipient_from_the_prose() -> None:
    mail = report("Reporting-MTA: dns; mx.example\nAction: failed\nStatus: 5.1.1").replace(
        "Sorry.", "The message could not be delivered to:\n\n  ann@a.example\n"
    )
    assert known(mail).recipients == ("ann@a.example",)


def test_a_report_without_any_other_sign_is_believed() -> None:
    mail = report("Final-Recipient: rfc822;ann@a.example\nAction: failed")
    assert read(mail.replace("MAILER-DAEMON@mx.example", "ann@b.example").replace("Undeliverable", "x")) is not None


@pytest.mark.parametrize(
    ("name", "recipients", "action", "status"),
    [
        ("bounce-several-recipients", ("anna@group.example", "dora+desk@group.example"), BounceAction.FAILED, "5.1.6"),
        ("bounce-report-as-text", ("walter@gone.example",), BounceAction.FAILED, "5.4.4"),
        ("bounce-missing-boundary", ("stock@depot.example",), BounceAction.FAILED, "5.4.6"),
        ("bounce-wrapped-by-a-gateway", ("keeper@branch.example",), BounceAction.FAILED, "5.1.1"),
        ("bounce-status-only-in-the-diagnostic", ("ledger@accounts.example",), BounceAction.FAILED, "5.3.4"),
        ("bounce-internationalised-address", ("χρήστης@eai.example",), BounceAction.FAILED, "5.6.7"),
        ("bounce-postfix-delivered", ("omar@studio.example",), BounceAction.DELIVERED, "2.0.0"),
        ("bounce-gmail-delayed", ("team.lead@corp.example",), BounceAction.DELAYED, "4.4.1"),
    ],
)
def test_samples_of_reports(name: str, recipients: tuple[str, ...], action: BounceAction, status: str) -> None:
    found = sample(name)
    assert found is not None
    assert (found.recipients, found.action, found.status) == (recipients, action, status)


# ------------------------------------------------------------------ prose


@pytest.mark.parametrize(
    ("name", "recipients"),
    [
        ("bounce-qmail", ("info@closed.example", "sales@closed.example")),
        ("bounce-yahoo", ("dancer1984@yahoo.example",)),
        ("bounce-exchange-2003", ("miller@mill.example",)),
        ("bounce-japanese-prose", ("tanaka@kaisha.example",)),
        ("bounce-french-prose", ("helene.garnier@fournisseur.example",)),
        ("bounce-russian-prose", ("olga.smirnova@pochta.example",)),
        ("bounce-spanish-filter", ("compras@seguridad.example",)),
        ("bounce-mailbox-full-as-a-disposition", ("archive@imap.example",)),
    ],
)
def test_samples_of_prose(name: str, recipients: tuple[str, ...]) -> None:
    found = sample(name)
    assert found is not None
    assert (found.recipients, found.action) == (recipients, BounceAction.FAILED)


def test_a_warning_in_prose_is_delayed() -> None:
    found = sample("bounce-exim-warning-in-prose")
    assert found is not None
    assert (found.recipients, found.action) == (("jonas@slowpoke.example",), BounceAction.DELAYED)


def test_prose_of_an_unknown_form_gives_the_servers_words_and_status() -> None:
    found = known(prose("Oh no, a problem.\n\nann@a.example is gone: 550 5.1.1 no such user\nhere"))
    assert found.recipients == ("ann@a.example",)
    assert (found.status, found.diagnostic) == ("5.1.1", "ann@a.example is gone: 550 5.1.1 no such user here")


def test_addresses_of_the_returned_mail_and_of_the_reporter_are_not_recipients() -> None:
    text = "help@desk.example: your mail was rejected, ask postmaster@mx.example\nann@a.example\n"
    found = known(prose(f"{text}\n--- Below this line is a copy of the message.\n\nTo: bob@a.example\n"))
    assert found.recipients == ("ann@a.example",)


def test_a_failed_recipient_may_be_an_office() -> None:
    text = "It failed. Ask abuse@isp.example or helpdesk@isp.example.\n\n<support@shop.example>: 550 no such user\n"
    assert known(prose(text, sender="MAILER-DAEMON@isp.example")).recipients == ("support@shop.example",)


def test_exims_header_names_the_recipients() -> None:
    found = known(prose("It failed.", more="X-Failed-Recipients: ann@a.example,\n <bob@a.example>\n"))
    assert found.recipients == ("ann@a.example", "bob@a.example")


def test_a_daemons_bounce_that_names_nobody_is_a_bounce_all_the_same() -> None:
    assert known(prose("Your mail could not be delivered.")).recipients == ()


@pytest.mark.parametrize(
    "subject",
    [
        "Unzustellbar: Hallo",
        "Message non remis",
        "No se pudo entregar",
        "Недоставленное сообщение",
        "配信不能",
        "退信",
        "Onbestelbaar: Hoi",
    ],
)
def test_an_empty_sender_and_a_failing_subject_in_any_language_make_a_reporter(subject: str) -> None:
    mail = prose("ann@a.example\n550 no", sender="Ann <ann@mx.example>", subject=subject)
    assert read(mail, envelope_from="") is not None
    assert read(mail, envelope_from="ann@mx.example") is None


# ------------------------------------------------------------------ what is no bounce


@pytest.mark.parametrize(
    "name", ["bounce-quoted-in-a-reply", "bounce-passed-on-by-a-person", "bounce-told-of-by-a-person"]
)
def test_people_who_speak_of_bounces_stay_people(name: str) -> None:
    assert sample(name) is None


@pytest.mark.parametrize(
    "name", ["auto-read-receipt", "auto-abuse-report", "auto-exchange-out-of-office", "auto-sieve-vacation"]
)
def test_other_automatic_mail_is_no_bounce(name: str) -> None:
    assert sample(name) is None


@pytest.mark.parametrize(
    "subject", ["Re: Undelivered Mail", "Fwd: failure notice", "AW: Unzustellbar", "RE[2]: Delivery failed"]
)
def test_a_postmaster_who_answers_is_a_person(subject: str) -> None:
    assert (
        read(
            prose("Our logs say: 550 5.1.1 ann@a.example unknown user", sender="postmaster@a.example", subject=subject)
        )
        is None
    )


def test_a_parcel_service_is_no_mail_system() -> None:
    text = "Dear customer,\nthe delivery failed. Your parcel 5501234 waits. Questions: hello@parcel.example"
    assert read(prose(text, sender="notifications@parcel.example", subject="Delivery failed: nobody at home")) is None


# ------------------------------------------------------------------ which mail it is about


def test_message_id_is_that_of_the_returned_mail_not_of_a_wrapped_report() -> None:
    for name in ("bounce-postfix-unknown-user", "bounce-wrapped-by-a-gateway", "bounce-sendmail", "bounce-qmail"):
        found = sample(name)
        assert found is not None
        assert found.original_message_id == "t1024.a3.k7d2m9@desk.example"


def test_message_id_is_taken_from_the_reports_header_at_need() -> None:
    found = known(prose("It failed.", more="In-Reply-To: <a@desk.example>\n"))
    assert found.original_message_id == "a@desk.example"
