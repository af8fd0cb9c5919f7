"""What mail systems write when mail could not be delivered: tables of plain lower-case phrases, by language.

All are looked for in text in lower case whose white space was made single blanks. Nobody needs to be sure
that a phrase means a bounce by itself: `bounce.py` asks first whether a mail system speaks at all.
"""

from __future__ import annotations

# fmt: off

# Delivery failed, or did not happen: in a subject or in the first lines of a report.
FAILURES: dict[str, tuple[str, ...]] = {
    "en": (
        "undeliver", "nondeliver", "non-deliver", "not deliver", "not be deliver", "not been deliver",
        "not able to deliver", "unable to deliver", "n't able to deliver", "n't deliver", "n't be deliver",
        "unsuccessful deliver", "cannot deliver", "failed to deliver", "failure to deliver", "could not deliver",
        "delivery fail", "delivery to the following recipient", "delivery has failed", "delivery unsuccessful",
        "delivery problem", "delivery error", "delivery status notification",
        "delivery failure", "delivery was aborted", "delivery incomplete", "during delivery",
        "delivery delay", "delayed", "could not send", "cannot send", "unable to send", "returned mail",
        "mail returned", "returned to sender", "returned message", "message returned", "returning message",
        "failure notice", "failed mail", "failed recipient", "mail fail", "mail system error", "mail error",
        "message status", "ndn:", "mail problem", "mail failure", "address unknown", "bounced", "bounce notification",
        "rejected", "not reach", "not be reached",
        "permanent error", "permanent fatal error", "permanent failure", "transient", "unrecoverable",
        "user unknown", "unknown user", "unknown or illegal", "no such user", "no such recipient", "no mailbox",
        "invalid recipient", "invalid address", "invalid final delivery", "unknown recipient", "unknown mailbox",
        "unknown address", "does not exist", "doesn't exist", "is not recognized", "not found", "no longer valid",
        "mailbox is full", "mailbox full", "over quota", "quota exceeded", "exceeded the quota", "disk quota",
        "mailbox unavailable", "mailbox is disabled", "account is disabled", "account has been disabled",
        "doesn't have", "addresses had", "did not exactly match", "problem with the e-mail", "has not been collected",
        "not an e-mail user", "check your send e-mail address", "message blocked", "was blocked", "has been blocked",
        "address failed", "intended recipient", "nameserver error", "message size exceeds", "too large",
    ),
    "de": (
        "unzustellbar", "nicht zugestellt", "nicht zustell", "nicht ausgeliefert", "zustellung fehlgeschlagen",
        "zustellungsfehler", "zustellfehler", "fehler bei der zustellung", "zustellung nicht möglich",
        "nicht übermittelt", "konnte nicht gesendet", "zustellbenachrichtigung", "unbekannter empfänger",
        "verzögerte zustellung", "zustellung verzögert", "wurde zurückgewiesen", "postfach voll", "rückläufer",
        "benachrichtigung zum übermittlungsstatus", "empfänger existiert nicht", "empfänger unbekannt",
    ),
    "fr": (
        "non remis", "non délivré", "non distribu", "échec de la remise", "échec de remise", "échec de livraison",
        "échec de la livraison", "échec de distribution", "échec de la distribution", "pas pu être remis",
        "pas pu être délivré", "pas pu être distribué", "pas pu être livré", "pas été remis",
        "pas été délivré",
        "retour à l'expéditeur", "retourné à l'expéditeur", "état de remise", "utilisateur inconnu",
        "destinataire inconnu", "boîte pleine", "boîte aux lettres pleine", "remise différée", "remise retardée",
        "impossible de remettre", "échec d'envoi",
    ),
    "es": (
        "no entregado", "no se pudo entregar", "no se ha podido entregar", "no se puede entregar",
        "no pudo ser entregado",
        "no ha podido ser entregado", "no se entregó", "error de entrega", "fallo de entrega", "fallo en la entrega",
        "entrega fallida", "mensaje devuelto", "correo devuelto", "estado de entrega", "usuario desconocido",
        "buzón lleno", "no es posible entregar", "imposible entregar", "entrega retrasada", "no existe",
    ),
    "pt": (
        "não entregue", "não foi entregue", "não pôde ser entregue", "não pode ser entregue", "nao pode ser envi",
        "nao pode ser entregue", "falha na entrega", "falha de entrega", "falha ao entregar", "mensagem devolvida",
        "status de entrega", "estado da entrega", "usuário desconhecido", "utilizador desconhecido",
        "impossível entregar",
        "caixa postal cheia", "entrega atrasada", "não foi possível entregar",
    ),
    "it": (
        "non recapitabile", "non recapitato", "non consegnato", "mancato recapito", "mancata consegna",
        "impossibile recapitare", "impossibile consegnare", "non è stato recapitato",
        "non è stato possibile recapitare",
        "non è stato possibile consegnare", "errore di consegna", "stato consegna", "stato della consegna",
        "utente sconosciuto", "casella piena", "recapito ritardato", "consegna ritardata",
    ),
    "nl": (
        "onbestelbaar", "niet bezorgd", "niet afgeleverd", "niet worden bezorgd", "niet worden afgeleverd",
        "bezorging mislukt", "aflevering mislukt", "bezorgingsfout", "onbekende gebruiker", "onbekende ontvanger",
        "status van bezorging", "vertraagde bezorging", "bezorging vertraagd", "postvak vol", "kon niet bezorgd",
    ),
    "pl": (
        "niedostarcz", "nie dostarcz", "nie można dostarczyć", "nie może zostać dostarczon", "nie może być dostarczon",
        "nie mogła zostać dostarczona", "nie udało się dostarczyć", "zwrot wiadomości", "błąd dostarcz",
        "nieznany użytkownik", "nieznany odbiorca", "skrzynka pełna", "opóźnienie w dostarcz",
        "dostarczenie opóźnione",
    ),
    "ru": (
        "недоставлен", "недоставк", "не доставлен",
        "не может быть доставлен", "не могло быть доставлено",
        "не было доставлено",
        "не удалось доставить", "невозможно доставить",
        "ошибка доставки", "сбой доставки", "состоянии доставки",
        "пользователь не найден", "неизвестный пользователь",
        "не существует", "ящик переполнен",
        "доставка задерживается",
        "задержка доставки", "возвращено отправителю",
    ),
    "uk": (
        "недоставлен", "не доставлено", "не вдалося доставити",
        "неможливо доставити", "помилка доставки",
    ),
    "cs": (
        "nedoručiteln", "nedoručen", "nelze doručit", "nebylo možné doručit", "nemohla být doručena",
        "doručení selhalo",
    ),
    "sk": ("nedoručiteľn", "nedoručen", "nie je možné doručiť", "nepodarilo sa doručiť", "doručenie zlyhalo"),
    "sv": (
        "kan inte leverera", "kunde inte leverera", "inte levererats", "ej levererat", "olevererbar",
        "går inte att leverera",
        "leveransfel", "misslyckad leverans", "leveransen misslyckades", "okänd mottagare", "fördröjd leverans",
    ),
    "da": (
        "kunne ikke leveres", "kan ikke leveres", "ikke leveret", "leveringsfejl", "uleverbar",
        "kunne ikke afleveres",
    ),
    "no": (
        "kunne ikke levere", "kan ikke levere", "ikke levert", "leveringsfeil", "mislykket levering",
        "ukjent mottaker",
    ),
    "fi": (
        "ei voitu toimittaa", "ei voi toimittaa", "toimitus epäonnistui", "toimitusvirhe", "viestiä ei toimitettu",
        "ei toimitettu",
    ),
    "hu": (
        "kézbesíthetetlen", "nem kézbesíthető", "sikertelen kézbesítés", "nem sikerült kézbesíteni",
        "kézbesítési hiba",
    ),
    "ro": (
        "nelivrabil", "nelivrat", "nu a putut fi livrat", "nu a fost livrat", "livrare eșuată", "imposibil de livrat",
    ),
    "bg": (
        "недоставим", "не беше доставено", "не може да бъде доставен",
        "неуспешна доставка",
    ),
    "hr": ("neisporučen", "nije isporučen", "nije moguće isporučiti", "neuspjela isporuka", "neuspešna isporuka"),
    "sl": ("nedostavljiv", "ni bilo mogoče dostaviti", "ni bilo dostavljeno", "dostava ni uspela"),
    "el": (
        "δεν παραδόθηκε", "αποτυχία παράδοσης",
        "δεν ήταν δυνατή η παράδοση", "ανεπίδοτο", "αδυναμία παράδοσης",
    ),
    "tr": (
        "teslim edilemedi", "teslim edilemeyen", "iletilemedi", "iletilemeyen", "teslim edilemiyor", "gönderilemedi",
    ),
    "he": ("לא ניתן למסור", "לא נמסר", "המסירה נכשלה", "מסירה נכשלה"),
    "ar": ("تعذر تسليم", "تعذر التسليم", "فشل تسليم", "فشل التسليم", "لم يتم تسليم", "غير قابلة للتسليم"),
    "fa": ("تحویل داده نشد", "ارسال نشد", "تحویل ناموفق"),
    "zh": (
        "退信", "退件", "投递失败", "无法投递", "未送达", "无法送达", "未能送达", "无法传递", "传递失败", "传送失败",
        "发送失败",
        "投遞失敗", "無法投遞", "無法送達", "未能送達", "無法傳遞", "傳遞失敗", "傳送失敗", "傳送延遲", "邮件被退回",
        "系统退回",
        "用户不存在", "延迟",
    ),
    "ja": (
        "配信不能", "配信できません", "配信に失敗", "配信エラー", "配信されません", "未配信", "配達不能",
        "配達できません", "配信の遅延",
        "送信できません", "送信に失敗", "届けられません", "届きません", "エラーメール", "不達", "存在しません",
    ),
    "ko": (
        "배달되지", "배달할 수 없", "배달 실패", "전송 실패", "전송되지", "전송하지 못", "반송", "전달할 수 없",
        "지연",
    ),
    "vi": ("không gửi được", "không thể gửi", "không thể chuyển", "không được chuyển", "gửi thất bại"),
    "id": ("tidak terkirim", "gagal terkirim", "gagal dikirim", "tidak dapat dikirim", "pengiriman gagal"),
    "th": ("ส่งไม่ถึง", "ไม่สามารถส่ง", "ส่งไม่สำเร็จ"),
    "hi": ("वितरित नहीं", "डिलीवर नहीं", "डिलीवरी विफल"),
}

# It will be tried again: not (yet) a failure.
DELAYS: tuple[str, ...] = (
    "not yet been deliver", "not yet deliver", "will be retried", "still being retried", "is being retried",
    "will continue to be made", "delivery attempts will continue", "will continue to try", "will keep trying",
    "will try again", "continue trying to deliver", "further attempts will be made", "will be attempted again",
    "warning only", "just a warning", "this is a warning", "do not need to resend", "no need to resend",
    "don't need to resend", "has been delayed", "is delayed", "delivery delayed", "delivery is delayed",
    "message delayed",
    "has been postponed", "advisory-only", "temporary problem delivering", "could not be delivered for more than 1",
    "warning: could not send message for past", "delivery incomplete", "delayed mail",
    "delivery status notification (delay)",
    "zustellung verzögert", "verzögerte zustellung", "weiterhin versucht", "erneut versucht", "noch nicht zugestellt",
    "remise différée", "remise retardée", "retard de remise", "sera réessayé", "nouvelle tentative",
    "pas encore été remis",
    "entrega retrasada", "se ha retrasado", "se reintentará", "seguirá intentando", "entrega atrasada",
    "será tentada novamente",
    "recapito ritardato", "consegna ritardata", "verrà ritentat", "bezorging vertraagd", "vertraagde bezorging",
    "wordt opnieuw geprobeerd", "dostarczenie opóźnione", "ponowna próba",
    "доставка задерживается",
    "задержка доставки",
    "попытки доставки", "будут продолжены", "fördröjd leverans", "försöker igen",
    "配信の遅延", "再試行", "再送信を試み",
    "延迟", "延遲", "继续尝试", "지연", "다시 시도",
)

# It arrived: a receipt that somebody asked for.
ARRIVALS: tuple[str, ...] = (
    "successfully delivered", "was delivered to", "has been delivered to", "delivery status notification (success)",
    "successful mail delivery report", "successfully relayed", "delivery to these recipients or groups is complete",
    "relayed to the following", "delivery status notification (relay)", "erfolgreich zugestellt", "a été remis",
    "zugestellt:",
    "se entregó correctamente", "entregado correctamente", "è stato recapitato", "è stato consegnato",
)

# Said of mail that did not arrive: then the phrases above are about something else.
NOT_ARRIVED: tuple[str, ...] = (
    "fail", "not be deliver", "not deliver", "undeliver", "unable", "reject", "error", "nicht", "pas", "no se",
    "non è",
)

# From here on a report shows the mail that it is about (looked for at the beginning of a line without its dashes).
ORIGINAL_BEGINS: tuple[str, ...] = (
    "this is a copy of", "below this line", "below the next line", "original message follows",
    "original message attached",
    "original message headers", "original message details", "original message header", "original message as received",
    "original message -", "original message:", "start of returned message", "returned mail follows", "returned mail -",
    "returned message -", "returned message:", "the header of the original", "the header and top",
    "the headers of the original",
    "message text follows", "message headers follow", "message header follows", "header of the message",
    "headers of the message",
    "unsent message", "undelivered message", "included is a copy of", "a copy of the original message",
    "here is a copy of",
    "here is your returned mail", "attachment is a copy", "copy of message", "copy of your message",
    "your message reads",
    "your original message", "old message:", "the original message follows", "the original message is included",
    "forwarded message", "mensaje original", "mensagem original", "messaggio originale", "message d'origine",
    "message original", "copie du message", "ursprüngliche nachricht", "originalnachricht", "kopie der nachricht",
    "oorspronkelijk bericht", "oryginalna wiadomość", "исходное сообщение",
    "текст письма", "копия письма",
    "ursprungligt meddelande", "opprinnelig melding", "oprindelig meddelelse", "alkuperäinen viesti",
    "původní zpráva",
    "eredeti üzenet", "原始邮件", "原始郵件", "以下是原", "元のメッセージ", "원본 메시지",
)
HEADERS_BEGIN: tuple[str, ...] = ("return-path:", "received:", "dkim-signature:")

# Local parts and names that only machines have which move mail.
DAEMONS: tuple[str, ...] = (
    "mailer-daemon", "mailer_daemon", "mailerdaemon", "mail-daemon", "maildaemon", "mdaemon", "mail.delivery",
    "mail-delivery", "maildelivery", "mail_delivery", "microsoftexchange", "smtp_mail_service", "delivery-daemon",
)
DAEMON_NAMES: tuple[str, ...] = (
    "mail delivery s", "mail delivery agent", "internet mail delivery", "mailer-daemon", "mailer daemon",
    "delivery subsystem", "mailer delivery",
)
# Local parts and names that people have too, but mostly machines when the subject speaks of a failure.
OFFICES: tuple[str, ...] = (
    "postmaster", "mailmaster", "system administrator", "mail administrator", "mail system", "mail server",
    "mail deliver",
    "systemadministrator", "administrateur système", "administrador del sistema", "administrador do sistema",
    "systeembeheerder", "mailzustellung", "bounce",
)
MACHINE_WORDS: tuple[str, ...] = (
    "daemon", "admin", "system", "mail", "server", "smtp", "gateway", "delivery", "exchange", "notif", "noreply",
    "no-reply", "no_reply", "donotreply", "do-not-reply", "virus", "filter", "root", "robot", "auto", "security",
    "scan", "mta", "return", "listserv", "lsmtp", "majordomo",
)
# Headers that only delivery reports have, and words that say so in a Received header.
REPORT_HEADERS: frozenset[str] = frozenset(
    {"x-failed-recipients", "x-ms-exchange-message-is-ndr", "x-dsncontext", "x-ms-embedded-report"}
)
REPORT_ROUTES: tuple[str, ...] = ("invoked for bounce", "via bounce")
# How a person begins.
GREETINGS: tuple[str, ...] = (
    "hi", "hello", "dear", "hey", "good morning", "good afternoon", "hallo", "guten", "sehr geehrte", "liebe", "moin",
    "bonjour", "salut", "cher", "madame", "hola", "estimad", "buenos", "buenas", "olá", "ola", "prezad", "caro",
    "bom dia",
    "ciao", "buongiorno", "salve", "gentile", "goedemorgen", "goedendag", "beste", "geachte", "dzień dobry", "cześć",
    "здравствуйте", "добрый", "уважаем", "привет", "hej", "hei", "terve", "merhaba",
    "sayın", "dobrý", "ahoj", "您好",
    "你好",
    "お世話", "こんにちは", "안녕",
)
# fmt: on
