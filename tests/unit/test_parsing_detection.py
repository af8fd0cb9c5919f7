"""The charset of undeclared bytes is found by how well the text reads."""

from __future__ import annotations

import pytest

from intake.parsing.charset import decode


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("Sehr geehrte Damen und Herren, die Übertragung läuft nicht. Viele Grüße aus Köln", "cp1252"),
        ("Le problème persiste malgré le redémarrage; où en êtes-vous à ce sujet?", "cp1252"),
        ("¿Qué pasó con la contraseña? El año pasado ya ocurrió lo mismo.", "cp1252"),
        ("Não consigo acessar a configuração do sistema.", "cp1252"),
        ("Skrivaren på våning 3 fungerar inte, den är trasig.", "cp1252"),
        ("Preis: 5 € – „gut“", "cp1252"),
        ("Grüße", "cp1252"),
        ("Dzień dobry, proszę o pomoc. Żółta łódź płynie.", "cp1250"),
        ("Dobrý den, tiskárna nefunguje, prosím o řešení.", "cp1250"),
        ("Jó napot, a nyomtató nem működik, kérem segítsen. Köszönöm!", "cp1250"),
        ("Merhaba, yazıcı çalışmıyor, lütfen yardım edin.", "cp1254"),
        ("Добрый день, прошу восстановить доступ к порталу.", "cp1251"),
        ("Добрый день, прошу восстановить доступ к порталу.", "koi8-r"),
        ("Добрий день, прошу відновити доступ до порталу.", "cp1251"),
        ("Привет", "koi8-r"),
        ("Καλημέρα, ο εκτυπωτής δεν τυπώνει από χθες.", "cp1253"),
        ("שלום, אני לא מצליחה להתחבר למערכת מאז אתמול", "cp1255"),
        ("السلام عليكم، الطابعة في الطابق الثالث لا تعمل منذ الصباح", "cp1256"),
        ("สวัสดีครับ ระบบเข้าใช้งานไม่ได้ตั้งแต่เมื่อวาน", "cp874"),
        ("お世話になっております。プリンタが動きません。よろしくお願いします。", "cp932"),
        ("お世話になっております。プリンタが動きません。よろしくお願いします。", "euc_jp"),
        ("您好，我们的帐号无法登录，请协助处理，谢谢。", "gb18030"),
        ("您好，我們的帳號無法登入，請協助處理，謝謝。", "cp950"),
        ("안녕하세요. 어제부터 로그인이 되지 않습니다. 확인 부탁드립니다.", "cp949"),
    ],
)
def test_undeclared_text_is_read(text: str, charset: str) -> None:
    found, defect = decode(text.encode(charset))
    assert found == text
    assert defect


def test_utf_8_that_is_cut_off_is_still_utf_8() -> None:
    assert decode("Grüße aus Köln, schöne Tage".encode() + b"\xc3")[0].startswith("Grüße aus Köln")
