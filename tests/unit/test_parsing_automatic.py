"""Which mail a program sent, and which mail may be answered automatically."""

from __future__ import annotations

from email import message_from_bytes
from email.header import Header

import pytest

from intake.parsing import automatic
from intake.parsing.headers import Headers
from intake.parsing.structure import split
from intake.types import Kind


def judge(
    header: str,
    *,
    subject: str = "Hello",
    sender: str = "ann@a.example",
    text: str = "Hi",
    envelope_from: str | None = None,
    calendar_method: str | None = None,
) -> automatic.Verdict:
    top = f"From: {sender}\nSubject: {Header(subject, 'utf-8').encode()}\n{header}"
    message = message_from_bytes(f"{top.strip()}\n\nHi\n".encode())
    return automatic.judge(
        Headers(message),
        envelope_from=envelope_from,
        text=text,
        content_type=message.get_content_type(),
        calendar_method=calendar_method,
    )


REPLIES = (
    "Auto-Submitted: auto-replied",
    "Auto-Submitted: Auto-Replied (vacation)",
    "auto-submitted: auto-replied (zimbra; vacation)",
    'Auto-submitted: auto-replied; owner-email="ann@a.example"',
    "Precedence: auto_reply",
    "X-Autoreply: yes",
    "X-Autorespond: Re: Hello",
    "X-Auto-Reply-From: ann@a.example",
    "X-MS-Exchange-Inbox-Rules-Loop: ann@a.example\nX-Auto-Response-Suppress: All",
    "X-Mailer: vacation 1.2",
    "X-FreeScout-Mail-Type: auto.reply",
)
GENERATED = (
    "Auto-Submitted: auto-generated",
    "Auto-Submitted: auto-notified",
    "Auto-Submitted: yes",
    "Precedence: bulk",
    "Precedence: JUNK",
    "X-Auto-Response-Suppress: All",
    "X-FC-MachineGenerated: true",
    "X-Cron-Env: <SHELL=/bin/sh>",
    "X-GitHub-Reason: mention",
    "X-Loop: yes",
    "Return-Path: <>",
    "Content-Type: multipart/report; report-type=disposition-notification",
    "Feedback-ID: 1:2:3\nList-Unsubscribe-Post: List-Unsubscribe=One-Click",
)
QUIET = (
    "Precedence: list",
    "List-Id: <printing.lists.example>",
    "List-Unsubscribe: <mailto:leave@lists.example>",
    "X-Auto-Response-Suppress: DR, OOF, AutoReply",
    "X-Auto-Response-Suppress: OOF",
    "X-Loop: list@lists.example",
)
ORDINARY = (
    "",
    "Auto-Submitted: no",
    "Auto-Submitted:  No (a person wrote it)",
    "X-Autoreply: no",
    "X-MS-Exchange-Inbox-Rules-Loop: ann@a.example",
    "Precedence: first-class",
    "X-Auto-Response-Suppress: DR, NDR, RN, NRN",
    "Feedback-ID: 1.eu-west-1.abc:sending-service",
    "X-Mailer: Microsoft Outlook 16.0",
    "Return-Path: <ann@a.example>",
)


@pytest.mark.parametrize("header", REPLIES)
def test_headers_of_automatic_replies(header: str) -> None:
    verdict = judge(header)
    assert (verdict.kind, verdict.auto_response_allowed) == (Kind.AUTO_REPLY, False)


@pytest.mark.parametrize("header", GENERATED)
def test_headers_of_generated_mail(header: str) -> None:
    verdict = judge(header)
    assert (verdict.kind, verdict.auto_response_allowed) == (Kind.AUTO_GENERATED, False)


@pytest.mark.parametrize("header", QUIET)
def test_headers_that_only_forbid_an_automatic_answer(header: str) -> None:
    verdict = judge(header)
    assert (verdict.kind, verdict.auto_response_allowed) == (Kind.NORMAL, False)


@pytest.mark.parametrize("header", ORDINARY)
def test_headers_of_ordinary_mail(header: str) -> None:
    verdict = judge(header)
    assert (verdict.kind, verdict.auto_response_allowed) == (Kind.NORMAL, True)


def test_list_mail_can_be_told_by_its_reason() -> None:
    assert judge("List-Id: <support.groups.example>").reason == automatic.LIST_MAIL


def test_a_list_that_also_asks_for_quiet_is_not_only_list_mail() -> None:
    verdict = judge("List-Id: <support.groups.example>\nX-Auto-Response-Suppress: AutoReply")
    assert verdict.reason != automatic.LIST_MAIL


def test_an_empty_envelope_sender_makes_mail_automatic_and_a_known_one_does_not() -> None:
    assert judge("", envelope_from="").kind is Kind.AUTO_GENERATED
    assert judge("Return-Path: <>", envelope_from="ann@a.example").kind is Kind.NORMAL


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Automatic reply: Hello", "I am out of the office until Monday."),
        ("Out of Office", "I will return on 3 May."),
        ("Out of office until Monday", "I have limited access to mail."),
        ("[External] Automatic reply: Hello", "I am out of the office."),
        ("Abwesenheitsnotiz: Hallo", "Ich bin im Urlaub."),
        ("Réponse automatique : Bonjour", "Je suis absent du bureau."),
        ("Respuesta automática: Hola", "Estoy de vacaciones."),
        ("Resposta automática: Olá", "Estou de férias."),
        ("Risposta automatica: Ciao", "Sono in ferie."),
        ("Automatisch antwoord: Hoi", "Ik ben afwezig."),
        ("Autosvar: Hej", "Jag är på semester."),
        ("Automatisk svar: Hei", "Jeg er på ferie."),
        ("Automaattinen vastaus: Moi", "Olen lomalla."),
        ("Odpowiedź automatyczna: Cześć", "Jestem na urlopie."),
        ("Automatická odpověď: Ahoj", "Jsem na dovolené."),
        ("Automatická odpoveď: Ahoj", "Som na dovolenke."),
        ("Automatikus válasz: Szia", "Házon kívül vagyok."),
        ("Răspuns automat: Salut", "Sunt în concediu."),
        ("Автоматический ответ: Привет", "Я в отпуске."),
        ("Автоматична відповідь: Привіт", "Я у відпустці."),
        ("Αυτόματη απάντηση: Γεια", "Είμαι εκτός γραφείου."),
        ("Otomatik yanıt: Merhaba", "Ofis dışındayım, ofis dışında."),
        ("תשובה אוטומטית: שלום", "אני מחוץ למשרד"),
        ("رد تلقائي: مرحبا", "أنا خارج المكتب"),
        ("自动答复: 您好", "我正在休假。"),
        ("自動応答: こんにちは", "不在にしております。"),
        ("자동 회신: 안녕하세요", "휴가 중입니다."),
        ("Trả lời tự động: Xin chào", "Tôi đang nghỉ phép."),
    ],
)
def test_an_out_of_office_subject_counts_when_the_text_says_the_same(subject: str, text: str) -> None:
    assert judge("", subject=subject, text=text).kind is Kind.AUTO_REPLY
    alone = judge("", subject=subject, text="12345")
    assert (alone.kind, alone.auto_response_allowed) == (Kind.NORMAL, False)


def test_an_out_of_office_subject_on_generated_mail_makes_it_a_reply() -> None:
    assert (
        judge("Auto-Submitted: auto-generated", subject="Automatic reply: Hello", text="12345").kind is Kind.AUTO_REPLY
    )


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Automatic reply: Hello",
        "AW: Abwesenheitsnotiz",
        "Vacation request for May",
        "Urlaubsantrag",
        "Out of toner",
        "Feriehus til leie",
    ],
)
def test_people_who_write_about_absence_stay_people(subject: str) -> None:
    verdict = judge(
        "In-Reply-To: <a@b.example>", subject=subject, text="I am out of the office, on vacation, im Urlaub."
    )
    assert (verdict.kind, verdict.auto_response_allowed) == (Kind.NORMAL, True)


@pytest.mark.parametrize(
    "sender", ["noreply@a.example", "No-Reply@a.example", "printing-request@a.example", "owner-list@a.example"]
)
def test_addresses_that_take_no_answers_get_none(sender: str) -> None:
    assert not judge("", sender=sender).auto_response_allowed
    assert judge("Reply-To: mia@b.example", sender=sender).auto_response_allowed


def test_a_calendar_answer_is_automatic_and_an_invitation_is_not() -> None:
    assert judge("", calendar_method="REPLY").kind is Kind.AUTO_GENERATED
    assert judge("", calendar_method="REQUEST").kind is Kind.NORMAL


def test_the_method_of_a_calendar_part_is_found_unless_somebody_wrote_a_comment() -> None:
    top = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/calendar; method=REPLY\n\n"
    calendar = "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\n{}END:VEVENT\nEND:VCALENDAR\n--b--\n"
    for line in ("", "COMMENT;LANGUAGE=de-DE:\\n\n", "COMMENT:\n"):
        assert automatic.calendar_method(split((top + calendar.format(line)).encode())[0]) == "REPLY"
    for line in ("COMMENT:Later\n", "COMMENT;LANGUAGE=de-DE:\\nSpäter\\n\n"):
        assert automatic.calendar_method(split((top + calendar.format(line)).encode())[0]) is None
    assert automatic.calendar_method(split(b"Subject: x\n\nMETHOD:REPLY\n")[0]) is None
