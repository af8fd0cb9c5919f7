"""What counts as newly written: quotes, signatures, answers between quoted lines."""

from __future__ import annotations

import pytest

from intake.parsing import reply
from intake.parsing.htmltext import render
from intake.types import FoldKind

ATTRIBUTION = "On Mon, Jan 5, 2026 at 9:12 AM Anna Smith <anna@client.example> wrote:"
HEADER = (
    "From: Anna Smith <anna@client.example>\nSent: Monday, 5 January 2026 09:12\nTo: support@desk.example\n"
    "Subject: Invoice"
)

ORIGINAL = """
-----Original Message-----
-----Ursprüngliche Nachricht-----
-----Message d'origine-----
-----Mensaje original-----
-----Mensagem original-----
-----Messaggio originale-----
-----Oorspronkelijk bericht-----
-----Oprindelig meddelelse-----
-----Opprinnelig melding-----
-----Ursprungligt meddelande-----
-----Alkuperäinen viesti-----
-----Wiadomość oryginalna-----
-----Původní zpráva-----
-----Pôvodná správa-----
-----Izvorna poruka-----
-----Eredeti üzenet-----
-----Mesaj original-----
-----Algsõnum-----
-----Özgün İleti-----
-----Αρχικό μήνυμα-----
-----Исходное сообщение-----
-----Вихідне повідомлення-----
-----הודעה מקורית-----
-----الرسالة الأصلية-----
-----元のメッセージ-----
-----원본 메시지-----
------------------ 原始邮件 ------------------
-----原始郵件-----
-----Thư gốc-----
-----Pesan asli-----
-------- Original message --------
"""

SIGNATURES = """
-- |Anna Smith|Client Ltd
--|Anna
---|Anna Smith
________________________|Anna Smith|www.client.example
Regards,|Anna
Best regards|Anna Smith|Client Ltd|+44 20 7946 0018
Thanks!|Anna
Mit freundlichen Grüßen|Anna Schmidt
Viele Grüße,|Anna
Cordialement,|Anne Martin
Un saludo,|Ana
Atenciosamente,|Ana Souza
Cordiali saluti|Anna Rossi
Met vriendelijke groet,|Anna de Vries
Med venlig hilsen|Anna Jensen
Vennlig hilsen|Anna
Med vänlig hälsning|Anna Berg
Ystävällisin terveisin|Anna
Pozdrawiam|Anna Nowak
S pozdravem|Anna Nováková
S pozdravom|Anna
Lp|Ana
Üdvözlettel:|Kovács Anna
Cu stimă,|Ana Popescu
Saygılarımla|Ayşe Yılmaz
Με εκτίμηση|Άννα
С уважением,|Анна
З повагою,|Ганна
בברכה,|אנה
Trân trọng,|Anna
Salam,|Anna
-Anna
Sent from my iPhone
Get Outlook for Android
Von meinem iPhone gesendet
Gesendet mit der GMX Mail App
Envoyé de mon iPhone
Enviado desde mi iPhone
Enviado do meu iPhone
Inviato da iPhone
Verstuurd vanaf mijn iPhone
Sendt fra min iPhone
Skickat från min iPhone
Lähetetty iPhonesta
Wysłane z iPhone'a
Odesláno z iPhonu
Odoslané z môjho iPhonu
Poslano s mojega iPhonea
Trimis de pe iPhone-ul meu
iPhone'umdan gönderildi
Στάλθηκε από το iPhone μου
Отправлено с iPhone
Надіслано з iPhone
נשלח מה-iPhone שלי
أُرسلت من الـ iPhone
iPhoneから送信
나의 iPhone에서 보냄
发自我的iPhone
從我的 iPhone 傳送
Đã gửi từ iPhone của tôi
Dikirim dari iPhone saya
ส่งจาก iPhone ของฉัน
Sent with Proton Mail secure email.
Sent from Yahoo Mail on Android
Sent from my Galaxy
"""


def rows(table: str) -> list[str]:
    return table.strip("\n").split("\n")


@pytest.mark.parametrize("mark", rows(ORIGINAL))
def test_what_follows_an_original_message_mark_is_folded(mark: str) -> None:
    found = reply.split(f"It works.\n\n{mark}\nUnknown: header\n\nDoes it work?")
    assert found.text == "It works."
    assert [(fold.start, fold.end, fold.kind) for fold in found.folds] == [(2, 6, FoldKind.QUOTE)]


@pytest.mark.parametrize("signature", rows(SIGNATURES))
def test_a_signature_is_folded(signature: str) -> None:
    lines = signature.replace("|", "\n")
    found = reply.split(f"It works now.\n\n{lines}\n")
    assert found.text == "It works now."
    assert {fold.kind for fold in found.folds} == {FoldKind.SIGNATURE}


@pytest.mark.parametrize("signature", rows(SIGNATURES))
def test_a_signature_above_a_quote_is_folded(signature: str) -> None:
    lines = signature.replace("|", "\n")
    found = reply.split(f"It works now.\n\n{lines}\n\n{ATTRIBUTION}\n\n> Does it work?\n")
    assert found.text == "It works now."


@pytest.mark.parametrize(
    "text",
    [
        "Best regards",
        "Please buy:\n-Eggs",
        "- one\n- two",
        "Thanks,",
        "Thanks\nfor the quick help, it all works again now.",
        "--\nAnna",
        "Sent from my old address, please use the new one.",
        "It works.\n\nSent from my desk, which is much easier than my phone.",
        "On 5 May 2026 I wrote:\n\nIt is broken.",
        "Von meinem Konto wurden 20 Euro abgebucht.",
        "-- four vouchers\n-- two books",
        "First part\n-----\nThe second part is a longer sentence that must not get lost.",
        "> A quote alone.",
        "> A quote.\n\nAnd an answer without an introduction.",
        "On Monday I will be there at 10:30.",
        "From: Berlin\nTo: Hamburg\nDate: 5 May",
        "I wrote:\n\nIt is broken.",
    ],
)
def test_doubtful_text_stays(text: str) -> None:
    assert reply.split(text).text == text


def test_answers_between_quoted_lines_stay_in_order_with_their_quotes() -> None:
    text = f"Hi,\n\n{ATTRIBUTION}\n> When?\n\nTomorrow.\n\n> Where?\n\nAt noon.\n\n> Regards\n> Anna\n"
    found = reply.split(text)
    assert found.text == "Hi,\n\n> When?\n\nTomorrow.\n\n> Where?\n\nAt noon."
    assert [(fold.start, fold.end) for fold in found.folds] == [(2, 3), (11, 14)]


def test_own_words_around_one_whole_quote_stay_without_it() -> None:
    found = reply.split(f"Hi,\n\n{ATTRIBUTION}\n> When?\n> Where?\n\nTomorrow, here.")
    assert found.text == "Hi,\n\nTomorrow, here."


def test_text_without_quote_marks_below_an_introduction_at_the_top_stays() -> None:
    later = ATTRIBUTION.replace("Anna", "Bob")
    found = reply.split(f"{ATTRIBUTION}\n\nWhen?\n\n{later}\n> Where?\n\nTomorrow.")
    assert found.text == "When?\n\n> Where?\n\nTomorrow."


def test_an_answer_below_the_whole_quote_stands_alone() -> None:
    found = reply.split(f"{ATTRIBUTION}\n> When?\n> Anna\n\nTomorrow.\n\n-- \nBob")
    assert found.text == "Tomorrow."
    assert [fold.kind for fold in found.folds] == [FoldKind.QUOTE, FoldKind.SIGNATURE]


def test_header_lines_fold_everything_below_them() -> None:
    found = reply.split(f"It works.\n\n________________________________\n{HEADER}\n\nDoes it work?\n\n> older")
    assert found.text == "It works."


def test_an_unquoted_mail_below_an_attribution_is_folded() -> None:
    assert reply.split(f"It works.\n\n{ATTRIBUTION}\n\nDoes it work?").text == "It works."


def test_a_mail_of_nothing_but_an_introduced_quote_has_an_empty_reply() -> None:
    assert reply.split(f"{ATTRIBUTION}\n> Does it work?\n").text == ""


def test_a_mail_of_header_lines_alone_is_kept() -> None:
    text = f"{HEADER}\n\nDoes it work?"
    assert reply.split(text).text == text


def test_a_forward_below_own_words_is_folded_and_alone_it_stays() -> None:
    text = f"---------- Forwarded message ---------\n{HEADER}\n\nHelp"
    assert reply.split(text).text == text
    found = reply.split(f"Please see to it.\n\n{text}")
    assert found.text == "Please see to it."
    assert [fold.kind for fold in found.folds] == [FoldKind.FORWARD]


def test_an_attribution_on_the_senders_own_line_is_cut_off() -> None:
    found = reply.split("Fine by me. On Mon, Jan 5, 2026 at 9:12 AM, anna@client.example wrote:\n> Well?")
    assert found.text == "Fine by me."
    assert [(fold.start, fold.end) for fold in found.folds] == [(1, 2)]


def test_structure_of_html_marks_quotes_and_signatures_in_unknown_words() -> None:
    rendered = render(
        '<div dir="ltr">It works.<br><div class="gmail_signature">Anna<br>Client Ltd</div></div>'
        '<div class="gmail_quote"><div class="gmail_attr">Xy zzy plugh:</div>'
        '<blockquote class="gmail_quote">Does it?</blockquote></div>'
    )
    found = reply.split(rendered.text, structure=rendered.folds)
    assert found.text == "It works."
    assert [fold.kind for fold in found.folds] == [FoldKind.SIGNATURE, FoldKind.QUOTE]


def test_answers_inside_a_quote_container_of_gmail_stay() -> None:
    rendered = render(
        f'<div class="gmail_quote"><div class="gmail_attr">{ATTRIBUTION.replace("<", "&lt;")}</div>'
        "<blockquote>When?</blockquote><div>Tomorrow.</div><blockquote>Where?</blockquote><div>Here.</div></div>"
    )
    found = reply.split(rendered.text, structure=rendered.folds)
    assert found.text == "> When?\n\nTomorrow.\n\n> Where?\n\nHere."


def test_the_folds_are_the_lines_that_the_reply_leaves_out() -> None:
    text = f"Hi,\n\nIt works.\n\nThanks,\nBob\n\n{ATTRIBUTION}\n\n> Does it?\n"
    found = reply.split(text)
    lines = text.split("\n")
    gone = {line for fold in found.folds for line in range(fold.start, fold.end)}
    left = [line for number, line in enumerate(lines) if number not in gone]
    assert "\n".join(left).strip("\n") == found.text


@pytest.mark.parametrize(
    "bait",
    [
        "x" * 300_000,
        ">" * 300_000,
        ">\n" * 100_000,
        "\n" * 300_000,
        "On Mon, Jan 5, 2026 at 9:12 AM Anna <a@b.example> wrote\n" * 5_000,
        "From: a@b.example\n" * 10_000,
        "--\n" * 100_000,
        "a@" * 100_000,
        " wrote:" * 50_000,
    ],
)
def test_bait_hides_nothing_that_stands_above_it(bait: str) -> None:
    found = reply.split(f"hello\n{bait}")
    lines = f"hello\n{bait}".split("\n")
    gone = {line for fold in found.folds for line in range(fold.start, fold.end)}
    left = [line for number, line in enumerate(lines) if number not in gone]
    assert found.text.startswith("hello")
    assert found.text == "\n".join(left).strip("\n")


def test_a_quote_below_a_blank_line_is_still_introduced() -> None:
    text = "On 14 Jan 2026, at 11:20, Help Desk <support@desk.example> wrote:\n\n> Shall we call?\n\nYes, please."
    assert reply.split(text).text == "Yes, please."


def test_an_attribution_with_the_earlier_mail_on_its_line_ends_the_reply() -> None:
    text = (
        "It works.\n\n  On Wed, Jan 14, 2026 at 11:20, Help Desk<support@desk.example> wrote:   Hello,\n\ntry again.\n"
    )
    assert reply.split(text).text == "It works."


def test_nothing_is_cut_where_nobody_wrote_above_such_an_attribution() -> None:
    text = "On Wed, Jan 14, 2026 at 11:20, Help Desk<support@desk.example> wrote:   Hello,\n\ntry again.\n"
    assert "try again." in reply.split(text).text


def test_header_lines_without_a_subject_count_where_the_recipient_has_an_address() -> None:
    text = "This is new.\n\nFrom: Zakiah\nSent: Friday, November 1, 2013 3:25 PM\nTo: joe@client.example\n\nHello"
    assert reply.split(text).text == "This is new."
    trip = "Please book:\n\nFrom: Berlin\nDate: Friday, November 1\nTo: Hamburg\n\nWindow seat."
    assert reply.split(trip).text == trip


@pytest.mark.parametrize("words", ["As you said:", "Wie Sie schrieben:", "Comme vous avez écrit :", "Come ha scritto:"])
def test_words_about_what_was_said_are_the_senders_own(words: str) -> None:
    text = f"{words}\n\n> The moon is round.\n\nI disagree."
    assert reply.split(text).text == text


def test_the_line_of_notes_about_the_earlier_mail_ends_the_reply() -> None:
    text = "Approved.\n\nAnna Smith ---01/12/2026 09:58:41 AM---Order?\n\nFrom: Anna Smith/ACME\nTo: Bob\n\nOrder?"
    assert reply.split(text).text == "Approved."


@pytest.mark.parametrize("name", ["composer_signature", "front-signature", "bloop_sign_1768"])
def test_signatures_that_clients_mark_are_folded(name: str) -> None:
    rendered = render(f'<div>Fine.</div><div class="{name}">Bob</div>')
    assert reply.split(rendered.text, structure=rendered.folds).text == "Fine."
