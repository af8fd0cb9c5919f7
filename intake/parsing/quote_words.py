"""How mail clients introduce the mail that is answered: verbs, openers, and "Original Message" lines.

Compared without letter case. The verbs stand anywhere in the line ("Am … schrieb Anna:", "… wrote:"); the
openers only begin it, before a date.
Phrases are separated by semicolons.
"""

from __future__ import annotations

from intake.parsing.textlines import phrases

VERBS: tuple[str, ...] = phrases(
    """
    wrote; writes; has written; sent; verzond; sendte; skickade; envió; enviou; ha inviato; wysłał; отправил;
    lähetti; replied; said; schrieb; schreibt; geschrieben; schrieben; a écrit; écrit; a ecrit; écrivait; a envoyé;
    ha escrito; escribió; escribio; escribe; escribía; escreveu; escreveram; ha scritto; scrive; scrisse; va
    escriure; ha escrit; escribiu; idatzi du; idatzi zuen; schreef; geschreven; skrev; skriver; skrifaði; har
    skrevet; har skrivit; kirjoitti; kirjoittaa; kirjutas; rakstīja; raksta; rašė; parašė; napisał; napisał(a);
    napisała; napisali; napisana przez; wysłana przez; pisze; napsal; napsal(a); napsala; píše; napísal;
    napísala; napísal(a); napísal/a; napisao;
    napisala; napisao/la; napisao je; je napisal; piše; írta; írja; a scris; scrie; yazdı; yazmış; şunu yazdı;
    şunları yazdı; tarafından yazıldı; написал; написала; написал(а); пишет; писал; писала; написав; пише; написа;
    напиша; писао је; написао; напісаў; έγραψε; έγραψαν; έγραψε/αν; shkroi; כתב; כתבה; כתב/ה; כתב/כתבה; כתבו; كتب;
    كتبت; كتابة; نوشت; نوشته است; đã viết; viết; menulis; tulis; ने लिखा; लिखा; লিখেছেন; je pisal; missatge de;
    isinulat ni;
    sumulat si; aliandika; geskryf; skryf; писали; schrieben am; hat geschrieben
    """
)

# The sender's own words and no introduction: "As you said:".
COMPARING: tuple[str, ...] = phrases(
    """
    as; like; what; when; because; since you; wie; da sie; weil; was; als; comme; ce que; como; lo que; o que; come;
    quello che; zoals; wat; som; det; hvad; hva; vad; kuten; jak; co; jako; kako; što; ahogy; amint; cum; ce; как;
    что; як; що; както; όπως; כפי; כמו; كما
    """
)

# Above the quoted lines, before the name: "Zitat von Anna:".
QUOTING: tuple[str, ...] = phrases(
    """
    quoting; zitat von; citando; citerar; citat; citat från; citeren; cytowanie; cituji; citujem; citiram; idézet;
    idézés; citation de; cita de; citato da; citazione di; цитирование; цитирую; цитата; alıntı; παράθεση
    """
)

# Languages that put no space between words.
VERBS_UNSPACED: tuple[str, ...] = phrases(
    """
    写道; 寫道; 写到; 写了; 書きました; 書いた; さんは書; 님이 작성; 님께서 작성; 작성:; 썼습니다; 님이 쓴; 님의
    메시지; เขียน; 写道：
    """
)

OPENERS: frozenset[str] = frozenset(
    phrases(
        """
        on; at; in; am; le; la; el; em; no dia; a; il; il giorno; op; den; d.; på; þann; þ.; dne; dňa; dnia; w dniu;
        v; ve; dana; u; pe; în; în data de; la data de; pe data de; στις; την; vào; vào ngày; lúc; pada; tanggal;
        เมื่อ; ในวันที่; วันที่; 在; 於; 于; בתאריך; ב; ב-; في; بتاريخ; در; kl; kuupäeval; на; в; у; quoting;
        citando; zitat
        von; citerar; data; eguna; noong; mnamo; dia; el dia; el día; o dia; à
        """
    )
)

# Between dashes on both sides: what follows is the mail that is answered.
ORIGINAL: frozenset[str] = frozenset(
    phrases(
        """
        original message; original; original email; original e-mail; original mail; reply message; original appointment;
        message d'origine; message original; ursprüngliche nachricht; originalnachricht; ursprüngliche mail;
        originaltermin; original-nachricht; ursprüngliche e-mail; antwortnachricht; original nachricht; message
        d’origine; message initial; courriel original; mail original; rendez-vous d'origine; message transmis;
        mensaje original; correo original; mensaje de respuesta; mensagem original; e-mail original; compromisso
        original; messaggio originale; messaggio di risposta; missatge original; mezu originala; mensaxe orixinal;
        oorspronkelijk bericht; origineel bericht; oorspronkelijke mail; oorspronkelijke bericht; originele bericht;
        oprindelig meddelelse; original meddelelse; oprindelig besked; opprinnelig melding; original melding;
        opprinnelig e-post; ursprungligt meddelande; originalmeddelande; ursprungsmeddelande; original meddelande;
        upprunaleg skilaboð; upphafleg skilaboð; originalmelding; ursprungligt mail; alkuperäinen viesti;
        alkuperäinen sähköposti; algsõnum; originaalkiri; algne sõnum; algne kiri; sākotnējais ziņojums; oriģinālais
        ziņojums; originali žinutė; pradinis laiškas; originalus laiškas; wiadomość oryginalna; oryginalna
        wiadomość; wiadomość pierwotna; treść oryginalnej wiadomości; původní zpráva; původní e-mail; originální
        zpráva; pôvodná správa; originálna správa; izvirno sporočilo; izvorna poruka; originalna poruka; izvorno
        sporočilo; originalno sporočilo; orginalna poruka; eredeti üzenet; eredeti levél; eredeti e-mail; mesaj
        original; mesajul original; mesajul inițial; mesaj inițial; orijinal mesaj; özgün ileti; özgün mesaj;
        orijinal ileti; asıl mesaj; orjinal mesaj; αρχικό μήνυμα; mesazhi origjinal; исходное сообщение; исходное
        письмо; оригинальное сообщение; первоначальное сообщение; оригинал сообщения; вихідне повідомлення;
        оригінальне повідомлення; початкове повідомлення; оригинално съобщение; изходно съобщение; първоначално
        съобщение; оригинална порука; изворна порука; оригинална порака; הודעה מקורית; ההודעה המקורית; الرسالة
        الأصلية; الرسالة الاصلية; رسالة أصلية; پیام اصلی; پیغام اصلی; 元のメッセージ; 元のメール;
        オリジナルメッセージ; original message / 元のメッセージ; 원본 메시지; 원본 메일; 원본메시지; 원본메일; 원래
        메시지; 원본 메세지; 원래의 메시지; 原始邮件; 原邮件; 原始信息; 原邮件信息; 原始郵件; 原始訊息; 原始信件;
        原信息; 邮件原件; 回复的原邮件; 回复的邮件; 回復的原郵件; 原郵件; 回覆郵件; thư gốc; tin nhắn gốc; tin gốc;
        pesan asli; mesej asal; pesan awal; ข้อความเดิม; ข้อความต้นฉบับ; मूल संदेश
        """
    )
)

# Words that may stand between the date and the name in an attribution, and that are not the name.
BETWEEN: frozenset[str] = frozenset(
    phrases(
        """
        wiadomość; napisana; przez; kontakt; keltezéssel; ο/η; ص; م; تمت; كتابة; ما; يلي; on; użytkownika; wysłana;
        pukul; เวลา; ob; klo; ore; от; από; om; w; dniu; przesłana; nutzer; a las; las; le; pan; pani; cette; am;
        pm; uhr; um; at; by; from; user; der; schrieb; schreibt; skrev; schreef; heeft; hat; hr; kl; kl.; o; à; às;
        a; alle; de; da; użytkownik; używacz; uživatel; odesílatel; používateľ; odosielateľ; pouzivatel; korisnik;
        je; uporabnik; utilizatorul; пользователь; користувач; потребителят; в; о; від; г; г.; р; р.; időpontban;
        ezt; írta; el; il; van; kell; kirjutas; kirjoitti; menulis; viết; đã; lúc; vào; ο; η; χρήστης; έγραψε; מאת;
        כתב; בשעה; كتب; بواسطة; المستخدم; gmt; utc; cet; cest; eet; eest; est; edt; pst; pdt; bst; ist; jst; h;
        nachm; vorm; vorm.; nachm.; μ.μ.; π.μ.; wrote; pisze; napisał; napisał(a); napsal; napísal; napisao; a.m.;
        p.m.; tarihinde; kello; u; użytkownik:; escribió; escreveu; scrisse; scritto; ha; uživatel:; пользователь:;
        následující; sender; 님이; さん; на; у; v; ve; oseba; oraz; nang; saa; het
        """
    )
)
