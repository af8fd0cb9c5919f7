"""Forwards as the clients write them: one row a client and language."""

from __future__ import annotations

import pytest

from intake.parsing import forward, forward_marks
from intake.types import Forward

# mark | labels of From, Date, To, Subject
GMAIL = """
---------- Forwarded message --------- | From: | Date: | To: | Subject:
---------- Weitergeleitete Nachricht --------- | Von: | Datum: | An: | Betreff:
---------- Message transféré --------- | De : | Date : | À : | Objet :
---------- Mensaje reenviado --------- | De: | Fecha: | Para: | Asunto:
---------- Mensagem encaminhada --------- | De: | Data: | Para: | Assunto:
---------- Messaggio inoltrato --------- | Da: | Data: | A: | Oggetto:
---------- Doorgestuurd bericht --------- | Van: | Datum: | Aan: | Onderwerp:
---------- Videresendt meddelelse --------- | Fra: | Dato: | Til: | Emne:
---------- Videresendt melding --------- | Fra: | Dato: | Til: | Emne:
---------- Vidarebefordrat meddelande --------- | Från: | Datum: | Till: | Ämne:
---------- Edelleenlähetetty viesti --------- | Lähettäjä: | Päivämäärä: | Vastaanottaja: | Aihe:
---------- Wiadomość przekazana dalej --------- | Od: | Data: | Do: | Temat:
---------- Přeposlaná zpráva --------- | Od: | Datum: | Komu: | Předmět:
---------- Preposlaná správa --------- | Od: | Dátum: | Komu: | Predmet:
---------- Proslijeđena poruka --------- | Od: | Datum: | Za: | Predmet:
---------- Posredovano sporočilo --------- | Od: | Datum: | Za: | Zadeva:
---------- Továbbított üzenet --------- | Feladó: | Dátum: | Címzett: | Tárgy:
---------- Mesaj redirecționat --------- | De la: | Dată: | Către: | Subiect:
---------- Edastatud kiri --------- | Saatja: | Kuupäev: | Saaja: | Teema:
---------- Persiųstas laiškas --------- | Nuo: | Date: | Kam: | Subject:
---------- Yönlendirilmiş ileti --------- | Kimden: | Tarih: | Kime: | Konu:
---------- Προωθημένο μήνυμα --------- | Από: | Ημερομηνία: | Προς: | Θέμα:
---------- Пересылаемое сообщение --------- | От: | Дата: | Кому: | Тема:
---------- Пересланное сообщение --------- | От кого: | Дата: | Кому: | Тема:
---------- Пересланий лист --------- | Від: | Дата: | Кому: | Тема:
---------- Препратено съобщение --------- | От: | Дата: | До: | Относно:
---------- הודעה שהועברה --------- | מאת: | תאריך: | אל: | נושא:
---------- رسالة معاد توجيهها --------- | من: | التاريخ: | إلى: | الموضوع:
---------- 転送されたメッセージ --------- | 差出人: | 日付: | 宛先: | 件名:
---------- 전달된 메시지 --------- | 보낸사람: | 날짜: | 받는사람: | 제목:
---------- 转发的邮件 --------- | 发件人: | 日期: | 收件人: | 主题:
---------- 轉寄的郵件 --------- | 寄件者: | 日期: | 收件者: | 主旨:
---------- Thư chuyển tiếp --------- | Từ: | Ngày: | Đến: | Chủ đề:
---------- Pesan terusan --------- | Dari: | Tanggal: | Kepada: | Subjek:
---------- ข้อความที่ส่งต่อ --------- | จาก: | วันที่: | ถึง: | เรื่อง:
"""

APPLE = """
Begin forwarded message: | From: | Date: | To: | Subject:
Anfang der weitergeleiteten Nachricht: | Von: | Datum: | An: | Betreff:
Début du message réexpédié : | De: | Date: | À: | Objet:
Inicio del mensaje reenviado: | De: | Fecha: | Para: | Asunto:
Início da mensagem encaminhada: | De: | Data: | Para: | Assunto:
Inizio messaggio inoltrato: | Da: | Data: | A: | Oggetto:
Begin doorgestuurd bericht: | Van: | Datum: | Aan: | Onderwerp:
Starten på den videresendte besked: | Fra: | Dato: | Til: | Emne:
Begynnelse på videresendt melding: | Fra: | Dato: | Til: | Emne:
Vidarebefordrat brev: | Från: | Datum: | Till: | Ämne:
Välitetty viesti alkaa: | Lähettäjä: | Päivämäärä: | Vastaanottaja: | Aihe:
Początek przekazywanej wiadomości: | Od: | Data: | Do: | Temat:
Začátek přeposlané zprávy: | Od: | Datum: | Komu: | Předmět:
Začiatok preposlanej správy: | Od: | Dátum: | Komu: | Predmet:
Započinje proslijeđena poruka: | Od: | Datum: | Prima: | Predmet:
Továbbított levél kezdete: | Feladó: | Dátum: | Címzett: | Tárgy:
Începe mesajul redirecționat: | De la: | Dată: | Către: | Subiect:
İleti başlangıcı: | Kimden: | Tarih: | Kime: | Konu:
Έναρξη προωθημένου μηνύματος: | Από: | Ημερομηνία: | Προς: | Θέμα:
Начало переадресованного сообщения: | От: | Дата: | Кому: | Тема:
Початок листа, що пересилається: | Від: | Дата: | Кому: | Тема:
תחילת ההודעה שהועברה: | מאת: | תאריך: | אל: | נושא:
بدء الرسالة المعاد توجيهها: | من: | التاريخ: | إلى: | الموضوع:
転送されたメッセージ: | 差出人: | 日付: | 宛先: | 件名:
전달된 메시지: | 보낸 사람: | 날짜: | 받는 사람: | 제목:
以下是转发的邮件： | 发件人: | 日期: | 收件人: | 主题:
以下是被轉寄的郵件： | 寄件人: | 日期: | 收件人: | 主旨:
Bắt đầu thư được chuyển tiếp: | Từ: | Ngày: | Đến: | Chủ đề:
Mulai pesan diteruskan: | Dari: | Tanggal: | Kepada: | Subjek:
"""

# prefix of the subject | labels of From, Sent, To, Subject
OUTLOOK = """
FW | From: | Sent: | To: | Subject:
WG | Von: | Gesendet: | An: | Betreff:
TR | De : | Envoyé : | À : | Objet :
RV | De: | Enviado el: | Para: | Asunto:
ENC | De: | Enviada em: | Para: | Assunto:
FW | De: | Enviado: | Para: | Assunto:
I | Da: | Inviato: | A: | Oggetto:
FW | Van: | Verzonden: | Aan: | Onderwerp:
VS | Fra: | Sendt: | Til: | Emne:
Videresend | Fra: | Sendt: | Til: | Emne:
VB | Från: | Skickat: | Till: | Ämne:
VL | Lähettäjä: | Lähetetty: | Vastaanottaja: | Aihe:
PD | Od: | Wysłano: | Do: | Temat:
FW | Od: | Odesláno: | Komu: | Předmět:
FW | Od: | Odoslané: | Komu: | Predmet:
FW | Od: | Poslano: | Za: | Zadeva:
Prosl | Šalje: | Poslano: | Prima: | Predmet:
FW | Feladó: | Elküldve: | Címzett: | Tárgy:
FW | De la: | Trimis: | Către: | Subiect:
Edasi | Saatja: | Saadetud: | Adressaat: | Teema:
İLT | Kimden: | Gönderildi: | Kime: | Konu:
ΠΡΘ | Από: | Στάλθηκε: | Προς: | Θέμα:
FW | От: | Отправлено: | Кому: | Тема:
Пересл | Від: | Надіслано: | Кому: | Тема:
FW | От: | Изпратено: | До: | Относно:
FW | מאת: | נשלח: | אל: | נושא:
إعادة توجيه | من: | تم الإرسال: | إلى: | الموضوع:
FW | 差出人: | 送信日時: | 宛先: | 件名:
전달 | 보낸 사람: | 보낸 날짜: | 받는 사람: | 제목:
转发 | 发件人: | 发送时间: | 收件人: | 主题:
轉寄 | 寄件者: | 寄件日期: | 收件者: | 主旨:
FW | Từ: | Đã gửi: | Đến: | Chủ đề:
FW | Dari: | Dikirim: | Kepada: | Subjek:
FW | จาก: | ส่ง: | ถึง: | เรื่อง:
"""

BODY = "The printer is on fire.\nPlease hurry."


def rows(table: str) -> list[tuple[str, ...]]:
    return [tuple(cell.strip() for cell in line.split("|")) for line in table.strip().split("\n")]


def header(labels: tuple[str, ...]) -> list[str]:
    sender, date, to, subject = labels
    return [
        f"{sender} Anna Smith <anna@client.example>",
        f"{date} 5.01.2026 09:12",
        f"{to} Bob Jones <bob@partner.example>",
        f"{subject} Fire in room 12",
    ]


def check(found: Forward | None) -> None:
    assert found is not None
    assert (found.from_address, found.from_name) == ("anna@client.example", "Anna Smith")
    assert (found.subject, found.date) == ("Fire in room 12", "5.01.2026 09:12")
    assert found.text == BODY


@pytest.mark.parametrize("row", rows(GMAIL))
def test_a_forward_marked_between_dashes_is_read(row: tuple[str, ...]) -> None:
    text = "\n".join(["Please see below.", "", row[0], *header(row[1:]), "", "", BODY])
    check(forward.find("Fwd: Fire in room 12", text))


@pytest.mark.parametrize("row", rows(APPLE))
def test_a_quoted_forward_of_apple_mail_is_read(row: tuple[str, ...]) -> None:
    lines = [row[0], "", *header(row[1:]), "", *BODY.split("\n")]
    text = "\n".join(["See below", "", *(f"> {line}".rstrip() for line in lines)])
    check(forward.find("Fwd: Fire in room 12", text))


@pytest.mark.parametrize("row", rows(OUTLOOK))
def test_a_forward_of_outlook_is_known_by_its_subject(row: tuple[str, ...]) -> None:
    text = "\n".join(["Please see below.", "", "_" * 32, *header(row[1:]), "", BODY])
    check(forward.find(f"{row[0]}: Fire in room 12", text))


@pytest.mark.parametrize("row", rows(OUTLOOK))
def test_the_same_lines_in_a_reply_are_no_forward(row: tuple[str, ...]) -> None:
    text = "\n".join(["Thank you.", "", "_" * 32, *header(row[1:]), "", BODY])
    assert forward.find("RE: Fire in room 12", text) is None


@pytest.mark.parametrize("row", rows(GMAIL))
def test_yahoos_single_line_is_read(row: tuple[str, ...]) -> None:
    mark = row[0].replace("-", "").strip()
    sender, date, to, subject = row[1:]
    head = (
        f"{sender} Anna Smith <anna@client.example>{to} Bob <bob@partner.example>{date} 5.01.2026 09:12{subject} Fire"
    )
    found = forward.find("Fwd: Fire", f"   ----- {mark} ----- {head}\n {BODY}")
    assert found is not None
    assert (found.from_address, found.from_name, found.subject) == ("anna@client.example", "Anna Smith", "Fire")


def test_a_forward_inside_the_quote_of_a_reply_is_no_forward() -> None:
    text = (
        "Done.\n\nOn Mon, Jan 5, 2026 at 9:12 AM Bob <bob@partner.example> wrote:\n\n> FYI\n>\n"
        "> ---------- Forwarded message ---------\n> From: Anna Smith <anna@client.example>\n> Subject: Fire\n>\n> Help"
    )
    assert forward.find("Re: Fire", text) is None


def test_an_attribution_is_a_forward_only_with_such_a_subject_and_without_quote_marks() -> None:
    line = 'On 05/01/2026 09:12, "Anna Smith" <anna@client.example> wrote:'
    found = forward.find("FW: Fire", f"See below\n\n{line}\n\n    Help")
    assert found is not None
    assert (found.from_name, found.subject, found.text) == ("Anna Smith", "Fire", "    Help")
    assert forward.find("FW: Fire", f"See below\n\n{line}\n\n> Help") is None
    assert forward.find("Re: Fire", f"See below\n\n{line}\n\n    Help") is None


def test_ordinary_words_about_forwarding_are_no_forward() -> None:
    assert forward.find("Question", "I have got a forwarded message\nand it says: nothing.") is None
    assert forward.find("Question", "Forwarded message\n\nis what I would like to see in the menu.") is None
    assert forward_marks.forward_at(["---------- 8< ----------"], 0) is None


def test_a_forward_without_readable_header_lines_is_still_one() -> None:
    found = forward.find("Fwd: x", "---------- Forwarded message ---------\n\nHelp")
    assert found is not None
    assert (found.from_address, found.text) == (None, "Help")


@pytest.mark.parametrize(
    ("value", "address", "name"),
    [
        ("Anna Smith <anna@client.example>", "anna@client.example", "Anna Smith"),
        ('"Smith, Anna" <anna@client.example>', "anna@client.example", "Smith, Anna"),
        ("anna@client.example", "anna@client.example", ""),
        ("anna@client.example <anna@client.example>", "anna@client.example", ""),
        ("Anna Smith [mailto:anna@client.example]", "anna@client.example", "Anna Smith"),
        ("Anna Smith <anna@client.example<mailto:anna@client.example>>", "anna@client.example", "Anna Smith"),
        (
            "Anna<mailto:anna@client.example> <anna@client.example> on behalf of b@c.example",
            "anna@client.example",
            "Anna",
        ),
        ("<anna@client.example>", "anna@client.example", ""),
    ],
)
def test_the_sender_is_read_from_all_the_ways_it_is_written(value: str, address: str, name: str) -> None:
    text = f"---------- Forwarded message ---------\nFrom: {value}\nSubject: Fire\n\nHelp"
    found = forward.find("Fwd: Fire", text)
    assert found is not None
    assert (found.from_address, found.from_name) == (address, name)


def test_vs_above_finnish_header_lines_says_answered_and_above_norwegian_ones_forwarded() -> None:
    names = "Lähettäjä: {0}\nLähetetty: {1}\nVastaanottaja: {2}\nAihe: {3}", "Fra: {0}\nSendt: {1}\nTil: {2}\nEmne: {3}"
    values = "Anna <anna@client.example>", "14.1.2026 11.20", "support@desk.example", "Lasku"
    finnish, norwegian = (f"Kiitos!\n\n{lines.format(*values)}\n\nHei" for lines in names)
    assert forward.find("VS: Lasku", finnish) is None
    assert forward.find("VS: Lasku", norwegian) is not None


@pytest.mark.parametrize(
    "mark",
    [
        "----- Forwarded message from Anna Smith <anna@client.example> -----",
        "----- Weitergeleitete Nachricht von Anna Smith <anna@client.example> ---------",
        "---------- پیام هدایت‌شده ---------",
    ],
)
def test_a_mark_may_name_the_sender_and_may_hold_invisible_characters(mark: str) -> None:
    assert forward_marks.forward_at([mark, "From: Anna Smith <anna@client.example>"], 0) == ""
