"""How mail clients mark a forwarded mail: the line above it, and the prefix of the subject.

Phrases are separated by semicolons, and compared without letter case, dashes and colons; subject prefixes
without their colon. A phrase that is missing here is the one thing to add when a client or a language is
not understood.
"""

from __future__ import annotations

from intake.parsing.textlines import phrases

MARKERS: frozenset[str] = frozenset(
    phrase.casefold()
    for text in (
        # English
        """
        pārsūtīta ziņa; pārsūtīts ziņojums; pārsūtītā ziņa;
        forwarded message; begin forwarded message; forwarded mail; forwarded email; forwarded e-mail; start of
        forwarded message; begin forwarded email; this is a forwarded message; forwarded by; fwd.msg; forwarded
        content; forward message; forwarded
        """,
        # German
        """
        weitergeleitete nachricht; anfang der weitergeleiteten nachricht; anfang der weitergeleiteten e-mail;
        weitergeleitete mail; weitergeleitete e-mail; weitergeleitet von; anfang weitergeleitete nachricht;
        weiterleitungsnachricht; beginn der weitergeleiteten nachricht
        """,
        # French
        """
        message transféré; début du message réexpédié; début du message transféré; message réexpédié; message
        transmis; message transfére; transféré par; mail transféré; courriel transféré; debut du message transfere;
        message transfere; e-mail transféré; message transféré/forwarded message; début du courriel transféré
        """,
        # Spanish, Catalan, Galician, Basque
        """
        mensaje reenviado; inicio del mensaje reenviado; comienzo del mensaje reenviado; correo reenviado; mensaje
        reenviado / forwarded message; reenviado por; inicio del mensaje; empieza el mensaje reenviado; correo
        electrónico reenviado; missatge reenviat; inici del missatge reenviat; mensaxe reenviada; birbidalitako
        mezua; mensaje re-enviado
        """,
        # Portuguese
        """
        mensagem encaminhada; mensagem reencaminhada; início da mensagem encaminhada; início da mensagem
        reencaminhada; início de mensagem reencaminhada; início de mensagem encaminhada; e-mail encaminhado; email
        encaminhado; encaminhado por; mensagem re-encaminhada; e-mail reencaminhado
        """,
        # Italian
        """
        messaggio inoltrato; inizio messaggio inoltrato; messaggio inoltrato da; inoltrato da; inizio del messaggio
        inoltrato; mail inoltrata; email inoltrata; messaggio inoltrato/forwarded message
        """,
        # Dutch
        """
        doorgestuurd bericht; begin doorgestuurd bericht; doorgestuurde e-mail; doorgestuurde mail; doorgezonden
        bericht; begin van doorgestuurd bericht; doorgestuurd door; begin doorgestuurde bericht; doorgestuurde
        bericht; doorgestuurd e-mailbericht
        """,
        # Danish, Norwegian, Swedish, Icelandic
        """
        videresendt meddelelse; videresendt besked; videresendt mail; videresendt e-mail; start på videresendt
        besked; begynder videresendt besked; begynd videresendt besked; videresendt af; starten på den videresendte
        besked; videresendt email; start på videresendt meddelelse; videresendt melding; videresendt e-post; start
        på videresendt melding; videresendt beskjed; begynnelse på videresendt melding; starten på videresendt
        melding; begynnelse på videresendt e-post; videresendt fra; videresendt epost; begynner videresendt melding;
        start på videresendt e-post; vidarebefordrat meddelande; vidarebefordrat mejl; vidarebefordrat mail;
        vidarebefordrat e-postmeddelande; vidarebefordrat brev; vidarebefordrad e-post; vidarebefordrat email;
        början på vidarebefordrat meddelande; börjar vidarebefordrat meddelande; vidarebefordrat av; påbörja
        vidarebefordrat meddelande; vidarebefordrat e-brev; vidaresänt meddelande; áframsend skilaboð; framsend
        skilaboð; áframsendur póstur
        """,
        # Finnish, Estonian, Latvian, Lithuanian
        """
        välitetty viesti; välitetty viesti alkaa; edelleenlähetetty viesti; lähetetty edelleen; välitetty viesti /
        fwd.msg; välitetty sähköposti; edelleen lähetetty viesti; edelleenlähetetty sähköposti; alkaa välitetty
        viesti; edastatud kiri; edastatud sõnum; edastatud kirja algus; edasi saadetud kiri; edastatud meil;
        edastatud sõnumi algus; edastatud e-kiri; edasisaadetud kiri; edastatud kirja sisu; pārsūtītā ziņa;
        pārsūtīts ziņojums; pārsūtītais ziņojums; persiųstas laiškas; persiųsta žinutė; persiunčiamas laiškas;
        persiųstas pranešimas; peradresuotas laiškas
        """,
        # Polish, Czech, Slovak
        """
        przekazana wiadomość; wiadomość przekazana; początek przekazywanej wiadomości; przesłana wiadomość;
        wiadomość przesłana dalej; treść przekazanej wiadomości; przekazywana wiadomość; przesłana dalej wiadomość;
        początek przesłanej wiadomości; przekazany e-mail; przekazany mail; początek wiadomości przekazanej;
        przesyłana wiadomość; wiadomość przekazana dalej; přeposlaná zpráva; začátek přeposlané zprávy; přeposílaná
        zpráva; předaná zpráva; přeposlaný e-mail; přeposlaný email; předávaná zpráva; začátek přeposílané zprávy;
        přeposlaná zpráva / forwarded message; preposlana zprava; začátek předávané zprávy; přeposlaný mail;
        přesměrovaná zpráva; preposlaná správa; začiatok preposlanej správy; preposielaná správa; začiatok
        preposielanej správy; preposlaný e-mail; preposlaný email; odovzdaná správa; presmerovaná správa; preposlaný
        mail; začiatok preposlaného e-mailu
        """,
        # Slovenian, Croatian, Serbian, Bosnian
        """
        posredovano sporočilo; začetek posredovanega sporočila; posredovana pošta; posredovana e-pošta; naprej
        poslano sporočilo; proslijeđena poruka; započinje proslijeđena poruka; proslijeđeni e-mail; početak
        proslijeđene poruke; proslijeđena e-poruka; prosleđena poruka; početak prosleđene poruke; prosljeđena
        poruka; započni proslijeđenu poruku; poruka proslijeđena; прослеђена порука; proslijeđena e-pošta;
        proslijeđeni mail; preusmjerena poruka; započinje prosljeđena poruka; početak prosljeđene poruke
        """,
        # Hungarian, Romanian, Turkish, Greek, Albanian
        """
        továbbított levél; továbbított üzenet; továbbított levél kezdete; továbbított üzenet kezdete; továbbított
        e-mail; továbbított email; továbbküldött üzenet; továbbküldött levél; továbbított e-mail kezdete; mesaj
        redirecționat; mesaj redirectionat; început mesaj redirecționat; începutul mesajului redirecționat; începe
        mesajul redirecționat; mesaj transmis; mesaj înaintat; mesaj retrimis; mesajul redirecționat; e-mail
        redirecționat; mesaj forwardat; mesaj redirecţionat; început mesaj redirecţionat; începerea mesajului
        redirecționat; mesaj expediat mai departe; început de mesaj redirecționat; începutul mesajului retrimis;
        începe mesajul retrimis; începe mesajul expediat mai departe; iletilen ileti; iletilmiş mesaj; iletilen
        mesaj; yönlendirilen ileti; yönlendirilmiş ileti; yönlendirilen mesaj; yönlendirilmiş mesaj; ileti
        başlangıcı; iletilmiş ileti; iletilen ileti başlangıcı; yönlendirilen ileti başlangıcı; iletilen e-posta;
        yönlendirilen e-posta; iletilmiş e-posta; i̇letilen i̇leti; i̇leti başlangıcı; i̇letilmiş mesaj; i̇letilen mesaj;
        i̇letilmiş ileti; i̇letilen ileti; iletilen mesaj başlangıcı; i̇letilen ileti başlangıcı; iletilen ileti
        başlıyor; i̇letilen e-posta; προωθημένο μήνυμα; έναρξη προωθημένου μηνύματος; προωθημένο e-mail; προωθούμενο
        μήνυμα; αρχή προωθημένου μηνύματος; αρχή προωθούμενου μηνύματος; προώθηση μηνύματος; μήνυμα που προωθήθηκε;
        mesazh i përcjellë; έναρξη μηνύματος που προωθήθηκε; προωθημένο email
        """,
        # Russian, Ukrainian, Bulgarian, Macedonian, Belarusian
        """
        пересылаемое сообщение; перенаправленное сообщение; пересланное сообщение; начало переадресованного
        сообщения; начало пересылаемого сообщения; переадресованное сообщение; пересылаемое письмо; пересланное
        письмо; начало пересланного сообщения; пересылаемое сообщение / forwarded message; конец пересылаемого
        сообщения; начало перенаправленного сообщения; переадресованное письмо; завершение пересылаемого сообщения;
        начало пересылаемого письма; переслане повідомлення; перенаправлене повідомлення; початок листа, що
        пересилається; початок переадресованого повідомлення; пересланий лист; перенаправлений лист; початок
        пересланого повідомлення; переадресоване повідомлення; пересилання повідомлення; повідомлення, що
        пересилається; початок перенаправленого повідомлення; пересилання листа; пересилаєме повідомлення; початок
        переадресованого листа; препратено съобщение; препратено писмо; начало на препратеното съобщение; начало на
        препратено съобщение; препратен имейл; проследена порака; перасланае паведамленне; прослеђене поруке
        """,
        # Hebrew, Arabic, Persian
        """
        הודעה שהועברה; הודעה מועברת; תחילת ההודעה שהועברה; הודעה שהועברה הלאה; התחלת הודעה מועברת; תחילת הודעה
        מועברת; דואל מועבר; תחילת הודעה שהועברה; רשומה שהועברה; رسالة معاد توجيهها; الرسالة المعاد توجيهها; رسالة
        محولة; بداية الرسالة المعاد توجيهها; رسالة تمت إعادة توجيهها; رسالة مُعاد توجيهها; بدء الرسالة المعاد
        توجيهها; الرسالة المحوّلة; الرسالة المحولة; بدء رسالة معاد توجيهها; رسالة موجهة; بدأ الرسالة المعاد توجيهها;
        پیام هدایت‌شده; پیام ارجاع شده; پیام فوروارد شده; پیام هدایت شده; پیام بازارسالی; forwarded message رسالة
        معاد توجيهها; بداية رسالة مُعاد إرسالها; رسالة مُعاد إرسالها
        """,
        # Japanese, Korean, Chinese
        """
        転送されたメッセージ; 転送メッセージ; 転送されたメール; 転送メール; メッセージを転送; 以下、転送メッセージ;
        転送するメッセージ; メールの転送; 転送元のメッセージ; 転送メッセージの始まり; 以下、転送されたメッセージ;
        以下、転送メール; 転送開始; 転送されたメッセージの開始; 전달된 메시지; 전달된 메일; 전달된 메세지; 전달
        메시지; 전달받은 메시지 시작; 전달한 메시지; 전달된 이메일; 전달 메일; 포워드된 메시지; 전달된 메시지 시작;
        전달한 메일; 아래는 전달된 메시지입니다; 다음은 전달된 메시지입니다; 전달하는 메시지; 전달된 메시지의 시작;
        转发的邮件; 转发邮件; 已转发的邮件; 转发邮件信息; 下面是被转发的邮件; 开始转发的邮件; 转发的消息;
        以下是转发的邮件; 转发的郵件; 已转发邮件; 转发信息; 被转发邮件信息; 开始转发邮件; 邮件转发; 转发消息;
        以下是转发邮件; 被转发的邮件; 转发的信息; 下面是转发的邮件; 轉寄的郵件; 轉寄郵件; 轉寄的信件; 轉寄信件;
        轉寄訊息; 已轉寄的郵件; 已轉寄郵件; 轉寄的訊息; 以下是被轉寄的郵件; 開始轉寄郵件; 轉寄的內容; 已轉發郵件;
        轉發的郵件; 轉發郵件; 已轉寄訊息; 以下為轉寄郵件; 開始轉寄訊息; 以下是轉寄的郵件; 轉寄內容
        """,
        # Vietnamese, Indonesian, Malay, Thai, Hindi
        """
        thư chuyển tiếp; thư được chuyển tiếp; tin nhắn được chuyển tiếp; bắt đầu thư được chuyển tiếp; tin nhắn
        chuyển tiếp; thư đã chuyển tiếp; email được chuyển tiếp; bắt đầu tin nhắn được chuyển tiếp; bắt đầu chuyển
        tiếp thư; tin nhắn đã chuyển tiếp; tin chuyển tiếp; email chuyển tiếp; pesan terusan; pesan yang diteruskan;
        pesan diteruskan; mulai pesan diteruskan; mulai pesan terusan; surel terusan; awal pesan terusan; awal pesan
        yang diteruskan; pesan yg diteruskan; email yang diteruskan; mesej yang dimajukan; mesej dimajukan; mulakan
        mesej yang dimajukan; mesej dikirim semula; mulai meneruskan pesan; email terusan; mulai pesan yang
        diteruskan; ข้อความที่ส่งต่อ; เริ่มข้อความที่ส่งต่อ; ข้อความส่งต่อ; อีเมลที่ส่งต่อ; เริ่มต้นข้อความที่ส่งต่อ; ข้อความที่ถูกส่งต่อ; अग्रेषित संदेश;
        फ़ॉरवर्ड किया गया संदेश; आगे भेजा गया संदेश; अग्रेषित किया गया संदेश; आगे भेजे गए मैसेज की शुरुआत
        """,
    )
    for phrase in phrases(text)
)

SUBJECTS: frozenset[str] = frozenset(
    phrases(
        """
        fw; fwd; forward; forwarded; wg; wtr; weitergeleitet; tr; transf; transféré; fwd/tr; rv; reenv; reenviado;
        enc; encaminhado; i; inoltro; inol; inoltra; doorst; doorgest; dg; doorgestuurd; vs; vb; vid; videresend;
        videresendt; vidarebefordrat; fs; framsent; áframs; vl; välitys; edl; pd; przek; podaj; pře; přep; přepsl;
        fwd.; předáno; prepos; preposlané; preposlana; prosl; proslijeđeno; prosleđeno; posr; posredovano;
        továbbítás; továbbítva; tov; továbbított; redir; redirecționat; trim; ilt; i̇lt; ıleti; ilet; yön; prw; πρθ;
        προώθ; προωθ; пересл; пересылка; перенаправлено; пер; переслано; нд; препр; edasi; edas; pers; pārs; הועבר;
        העברה; إعادة توجيه; اعادة توجيه; محوّل; 转发; 轉寄; 轉發; 转; 転送; 전달; chuyển tiếp; tr.; teruskan;
        dimajukan; ส่งต่อ
        """
    )
)

REPLIES: frozenset[str] = frozenset(
    phrases(
        """
        re; aw; antw; antwort; sv; svar; r; rif; res; resp; rép; rep; réf; odp; odpověď; odpoveď; odg; vá; ynt;
        yanıt; απ; σχετ; отв; ответ; відп; отг; на; відповідь; atb; ats; vast; vast.; svb; tl; trả lời; bls.; balas;
        回复; 回覆; 答复; 답장; 회신; 返信; תשובה; השב; رد; الرد; پاسخ; ตอบกลับ; ตอบ; răsp; va; ref; re.; ad; bal;
        回信
        """
    )
)

# "VS" says "forwarded" in Norwegian and Danish and "answered" in Finnish: how the header lines below begin there.
ANSWERED_ABOVE: dict[str, str] = {"vs": "lähettäjä"}
