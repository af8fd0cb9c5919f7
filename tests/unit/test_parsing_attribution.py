"""Lines that introduce a quote, as the clients write them, and lines that only look like them."""

from __future__ import annotations

import pytest

from intake.parsing import attribution

WITH_ADDRESS = """
On Mon, Jan 5, 2026 at 9:12 AM Anna Smith <anna@client.example> wrote:
On Jan 5, 2026, at 9:12 AM, Anna Smith <anna@client.example> wrote:
On 5 Jan 2026, at 09:12, Anna Smith <anna@client.example> wrote:
On Monday, January 5, 2026 at 09:12:41 AM EST, Anna Smith <anna@client.example> wrote:
On Monday, January 5th, 2026 at 9:12 AM, Anna Smith <anna@client.example> wrote:
On 2026-01-05 09:12, Anna Smith <anna@client.example> wrote:
---- On Mon, 05 Jan 2026 09:12:41 +0100 Anna Smith <anna@client.example> wrote ----
Anna Smith <anna@client.example> wrote on 05/01/2026 09:12:41 AM:
From: Anna Smith <anna@client.example> wrote:
Am Mo., 5. Jan. 2026 um 09:12 Uhr schrieb Anna Smith <anna@client.example>:
Am 05.01.2026 um 09:12 schrieb Anna Smith <anna@client.example>:
Am 5. Januar 2026 09:12:41 MEZ schrieb Anna Smith <anna@client.example>:
Anna Smith <anna@client.example> schrieb am Mo., 5. Jan. 2026, 09:12:
Anna Smith <anna@client.example> hat am 05.01.2026 09:12 CET geschrieben:
Le lun. 5 janv. 2026 à 09:12, Anna Smith <anna@client.example> a écrit :
Le 5 janv. 2026 à 09:12, Anna Smith <anna@client.example> a écrit :
Le lundi 5 janvier 2026 à 09:12:41 UTC+1, Anna Smith <anna@client.example> a écrit :
El lun, 5 ene 2026 a las 9:12, Anna Smith (<anna@client.example>) escribió:
El 5 ene 2026, a las 9:12, Anna Smith <anna@client.example> escribió:
El lunes, 5 de enero de 2026, 09:12:41 CET, Anna Smith <anna@client.example> escribió:
Em seg., 5 de jan. de 2026 às 09:12, Anna Smith <anna@client.example> escreveu:
Em segunda-feira, 5 de janeiro de 2026 09:12:41 BRT, Anna Smith <anna@client.example> escreveu:
Anna Smith <anna@client.example> escreveu (segunda, 5/01/2026 à(s) 09:12):
No dia 05/01/2026, às 09:12, Anna Smith <anna@client.example> escreveu:
Il giorno lun 5 gen 2026 alle ore 09:12 Anna Smith <anna@client.example> ha scritto:
Il 05/01/2026 09:12 CET Anna Smith <anna@client.example> ha scritto:
Il giorno 5 gen 2026, alle ore 09:12, Anna Smith <anna@client.example> ha scritto:
Op ma 5 jan 2026 om 09:12 schreef Anna Smith <anna@client.example>:
Op 5 jan. 2026 om 09:12 heeft Anna Smith <anna@client.example> het volgende geschreven:
Den man. 5. jan. 2026 kl. 09.12 skrev Anna Smith <anna@client.example>:
Den 5. jan. 2026 kl. 09.12 skrev Anna Smith <anna@client.example>:
man. 5. jan. 2026 kl. 09:12 skrev Anna Smith <anna@client.example>:
Den mån 5 jan. 2026 kl 09:12 skrev Anna Smith <anna@client.example>:
5 jan. 2026 kl. 09:12 skrev Anna Smith <anna@client.example>:
På måndag, 5 januari 2026, 09:12, Anna Smith <anna@client.example> skrev:
ma 5. tammik. 2026 klo 9.12 Anna Smith (anna@client.example) kirjoitti:
Anna Smith <anna@client.example> kirjoitti 5.1.2026 kello 9.12:
pon., 5 sty 2026 o 09:12 Anna Smith <anna@client.example> napisał(a):
Wiadomość napisana przez Anna Smith <anna@client.example> w dniu 5 sty 2026, o godz. 09:12 pisze:
W dniu 5.01.2026 o 09:12, Anna Smith <anna@client.example> pisze:
po 5. 1. 2026 v 9:12 odesílatel Anna Smith <anna@client.example> napsal:
Dne 5. 1. 2026 v 9:12 Anna Smith <anna@client.example> napsal(a):
po 5. 1. 2026 o 9:12 Anna Smith <anna@client.example> napísal(a):
Dňa 5. 1. 2026 o 9:12 Anna Smith <anna@client.example> napísal:
pon., 5. jan. 2026 ob 09:12 je oseba Anna Smith <anna@client.example> napisala:
pon, 5. sij 2026. u 09:12 Anna Smith <anna@client.example> napisao je:
Anna Smith <anna@client.example> ezt írta (időpont: 2026. jan. 5., H, 9:12):
2026. 01. 05. 9:12 keltezéssel, Anna Smith <anna@client.example> írta:
În lun., 5 ian. 2026 la 09:12, Anna Smith <anna@client.example> a scris:
Pe 5 ian. 2026, la 09:12, Anna Smith <anna@client.example> a scris:
Kontakt Anna Smith (<anna@client.example>) kirjutas kuupäeval E, 5. jaanuar 2026 kell 09:12:
2026-01-05, pr, 09:12 Anna Smith <anna@client.example> rašė:
Anna Smith <anna@client.example>, 5 Oca 2026 Pzt, 09:12 tarihinde şunu yazdı:
5 Oca 2026 Pzt 09:12 tarihinde Anna Smith <anna@client.example> şunu yazdı:
Στις Δευ 5 Ιαν 2026 στις 9:12 π.μ., ο/η Anna Smith <anna@client.example> έγραψε:
пн, 5 янв. 2026 г. в 09:12, Anna Smith <anna@client.example>:
5 янв. 2026 г., в 09:12, Anna Smith <anna@client.example> написал(а):
Понедельник, 5 января 2026, 9:12 +03:00 от Anna Smith <anna@client.example>:
05.01.2026, 09:12, "Anna Smith" <anna@client.example>:
пн, 5 січ. 2026 р. о 09:12 Anna Smith <anna@client.example> пише:
На пн, 5.01.2026 г. в 9:12 Anna Smith <anna@client.example> написа:
пон, 5. јан 2026. у 09:12 Anna Smith <anna@client.example> је написао/ла:
בתאריך יום ב׳, 5 בינו׳ 2026 ב-9:12 מאת \u202aAnna Smith\u202c <anna@client.example>:\u200f
في الاثنين، 5 يناير 2026 في 9:12 ص تمت كتابة ما يلي بواسطة \u202aAnna Smith\u202c <anna@client.example>:\u200f
2026年1月5日(月) 9:12 Anna Smith <anna@client.example>:
2026/01/05 9:12、Anna Smith <anna@client.example>のメール:
2026년 1월 5일 (월) 오전 9:12, Anna Smith <anna@client.example>님이 작성:
2026. 1. 5. 오전 9:12, Anna Smith <anna@client.example> 작성:
Anna Smith <anna@client.example> 于2026年1月5日周一 09:12写道：
Anna Smith <anna@client.example> 於 2026年1月5日 週一 上午9:12寫道：
在 2026年1月5日，09:12，Anna Smith <anna@client.example> 写道：
在 2026-01-05 09:12:41，"Anna Smith" <anna@client.example> 写道：
Vào Th 2, 5 thg 1, 2026 vào lúc 09:12 Anna Smith <anna@client.example> đã viết:
Pada Sen, 5 Jan 2026 pukul 09.12 Anna Smith <anna@client.example> menulis:
เมื่อ จ. 5 ม.ค. 2026 เวลา 09:12 Anna Smith <anna@client.example> เขียนว่า:
Le 05/01/2026 09:12, « Anna Smith » <anna@client.example> a écrit :
Il giorno 05/01/26, 09:12 "Anna Smith" <anna@client.example> ha scritto:
Op 05-01-2026 09:12 heeft Anna Smith <anna@client.example> geschreven:
Am 05.01.26, 09:12 schrieb "Anna Smith" <anna@client.example>:
W dniu 05.01.2026, 09:12, użytkownik „Anna Smith” <anna@client.example> napisał:
A 05/01/2026, 09:12, "Anna Smith" <anna@client.example> escreveu:
Em 05/01/2026 09:12, "Anna Smith" <anna@client.example> escreveu:
La data de 05.01.2026, 09:12, "Anna Smith" <anna@client.example> a scris:
Dana 05.01.2026. 09:12 Anna Smith <anna@client.example> je napisao/la:
Anna Smith <anna@client.example> skrev følgende den 05/01/2026, 09:12:
05/01/2026 09:12 időpontban Anna Smith (anna@client.example) ezt írta:
05/01/2026 09:12 používateľ Anna Smith (<anna@client.example>) napísal:
05/01/2026, 09:12 пользователь "Anna Smith" <anna@client.example> написал:
"Anna Smith" <anna@client.example>, 05/01/2026 09:12 tarihinde şunu yazdı:
El dl., 5 de gen. 2026, 9:12, Anna Smith <anna@client.example> va escriure:
"""

WITHOUT_ADDRESS = """
On 05/01/2026 09:12, Anna Smith wrote:
On 1/5/26 9:12 AM, Anna Smith wrote:
Am 05.01.26 um 09:12 schrieb Anna Smith:
Le 05/01/2026 à 09:12, Anna Smith a écrit :
El 5/1/26 a las 9:12, Anna Smith escribió:
Em 05/01/2026 09:12, Anna Smith escreveu:
Il 05/01/2026 09:12, Anna Smith ha scritto:
Op 05-01-2026 om 09:12 schreef Anna Smith:
Den 05.01.2026 09.12, skrev Anna Smith:
Den 2026-01-05 kl. 09:12, skrev Anna Smith:
W dniu 5.01.2026 o 09:12, Anna Smith pisze:
Dne 05. 01. 26 v 9:12 Anna Smith napsal(a):
05.01.2026 09:12, Anna Smith пишет:
05.01.26 09:12, Anna Smith пише:
On 05.01.26 09:12, Anna Smith skrev:
Στις 5/1/26 09:12, ο Anna Smith έγραψε:
2026-01-05 09:12 GMT+01:00 Anna Smith
---- Anna Smith wrote ----
El jueves, 21 de noviembre de 2013, anna escribió:
"""

WRAPPED = """
On Mon, Jan 5, 2026 at 9:12 AM Anna Maria Smith-Featherstonehaugh|<anna@client.example> wrote:
Op 16 aug. 2025 05:13 schreef "annasmith" <anna@client.example> het|volgende geschreven:
Anna Smith <anna@client.example> schrieb am Di., 16. Aug. 2025|um 12:52 Uhr:
W dniu 28 stycznia 2026 01:53 użytkownik Anna Smith <anna@client.example>|napisał:
Le lundi 5 janvier 2026 à 09:12, Anna Smith|<anna@client.example> a|écrit :
"""

ORDINARY = """
On blah-blah-blah
On your remote host you can run:
On Monday I will be there at 10:30.
Here is what I need:
As she wrote: nothing works.
The steps on 05/01/2026 were:
My address is anna@client.example:
Times: 10:30
Call me at 10:30 on 5 Jan 2026
I wrote:
We met on 5 May 2026 at 10:30. See you then
Log of 2026-01-05 09:12:
"""


def rows(table: str) -> list[str]:
    return [line for line in table.strip().split("\n") if line]


@pytest.mark.parametrize("line", rows(WITH_ADDRESS))
def test_an_attribution_with_an_address_is_known_in_every_language(line: str) -> None:
    assert attribution.lines_at([line, "", "Hello"], 0) == 1


@pytest.mark.parametrize("line", rows(WITH_ADDRESS))
def test_an_attribution_names_the_person(line: str) -> None:
    person = attribution.author(line)
    assert person is not None
    assert (person.address, person.name) == ("anna@client.example", "Anna Smith")


@pytest.mark.parametrize("line", rows(WITHOUT_ADDRESS))
def test_an_attribution_without_an_address_is_known_above_a_quote(line: str) -> None:
    assert attribution.lines_at([line, "> Hello"], 0) == 1


@pytest.mark.parametrize("line", rows(WRAPPED))
def test_an_attribution_may_be_wrapped(line: str) -> None:
    lines = line.split("|")
    assert attribution.lines_at([*lines, "", "> Hello"], 0) == len(lines)


@pytest.mark.parametrize("line", rows(ORDINARY))
def test_ordinary_lines_are_no_attributions(line: str) -> None:
    assert attribution.lines_at([line, "", "Hello"], 0) == 0


def test_a_bare_name_counts_only_directly_above_a_quote() -> None:
    assert attribution.lines_at(["Anna Smith wrote:", "> Hello"], 0) == 1
    assert attribution.lines_at(["Anna Smith wrote:", "", "Hello"], 0) == 0


def test_own_lines_above_an_attribution_are_not_taken_with_it() -> None:
    lines = ["Call me at 5 pm", "On Mon, Jan 5, 2026 at 9:12 AM Anna <anna@client.example> wrote:", "> Hello"]
    assert [attribution.lines_at(lines, at) for at in range(3)] == [0, 1, 0]


def test_an_attribution_behind_own_words_is_found_on_the_same_line() -> None:
    line = "see you then --- On Wed, Apr 4, 2026 at 3:59 PM, anna@client.example wrote:"
    assert attribution.shared_at(line) == line.index("---")
    assert attribution.shared_at("On my side nothing was written: see anna@client.example") is None


@pytest.mark.parametrize(
    "line",
    [
        "Zitat von Help Desk <support@desk.example>:",
        "Quoting Help Desk <support@desk.example>:",
        "Citando Help Desk <support@desk.example>:",
        "14 జన, 2026, బుధ 11:20 AMకి Help Desk <support@desk.example> ఇలా రాసారు:",
    ],
)
def test_an_introduction_without_a_verb_of_writing_counts_above_quoted_lines_only(line: str) -> None:
    assert attribution.lines_at([line, "> Hello"], 0) == 1
    assert attribution.lines_at([line, "Hello"], 0) == 0


@pytest.mark.parametrize(
    "line",
    [
        "Вы писали 14 января 2026 г., 11:20:41:",
        "Missatge de Help Desk <support@desk.example> del dia dc., 14 de gen. 2026 a les 11:20:",
        "Noong Miy, Ene 14, 2026 nang 11:20 AM, isinulat ni Help Desk <support@desk.example> ang:",
        "Mnamo Jum, 14 Jan 2026 saa 11:20 Help Desk <support@desk.example> aliandika:",
    ],
)
def test_a_rare_language_introduces_a_quote(line: str) -> None:
    assert attribution.lines_at([line, "", "Hello"], 0) == 1
