"""How mail clients name the header fields that they write into the text of a reply or a forward.

One row a field, all languages in it; compared without letter case and without bold marks. A label that
is missing here is the one thing to add when a client or a language is
not understood. Labels are separated by semicolons.
"""

from __future__ import annotations

from enum import StrEnum

from intake.parsing.textlines import phrases


class Field(StrEnum):
    """What a label stands for."""

    FROM = "from"
    DATE = "date"
    TO = "to"
    CC = "cc"
    SUBJECT = "subject"
    OTHER = "other"


WORDS: dict[Field, tuple[str, ...]] = {
    Field.FROM: phrases(
        """
        From; Sender; Von; Absender; De; De la part de; Expéditeur; Remitente; Remetente; Enviado por; Da; Mittente;
        Van; Afzender; Fra; Avsender; Afsender; Från; Avsändare; Frá; Sendandi; Lähettäjä; Lähettää; Saatja;
        Kellelt; Od; Nadawca; Odesílatel; Odesilatel; Odosielateľ; Pošiljatelj; Pošilja; Šalje; Pošiljalac; Prejme
        od; От; От кого; Отправитель; Від; Від кого; Відправник; Подател; Изпращач; Шаље; Од; Ад; Feladó; Küldő; De
        la; Expeditor; Kimden; Gönderen; Από; Αποστολέας; No; Sūtītājs; Nuo; Siuntėjas; מאת; שולח; من; المرسل; از;
        فرستنده; 差出人; 送信者; 送信元; 差出人名; 보낸 사람; 보낸사람; 발신; 보낸이; 발신인; 发件人; 发信人;
        寄件人; 寄件者; 發件人; 来自; 從; 发送人; Từ; Người gửi; Gửi từ; Dari; Pengirim; Daripada; จาก; ผู้ส่ง; प्रेषक;
        द्वारा; Nga; Remitent; Igorlea; Nork
        """
    ),
    Field.DATE: phrases(
        """
        Date; Sent; Sent on; Date sent; Received; Time; Datum; Gesendet; Gesendet am; Gesendet um; Empfangen; Datum
        und Uhrzeit; Envoyé; Envoyé le; Date d'envoi; Enviado; Enviado el; Enviado em; Enviada; Enviada em; Enviado
        a; Fecha; Fecha de envío; Data; Data de envio; Inviato; Inviato il; Data invio; Enviat; Data enviament;
        Verzonden; Verstuurd; Verzenddatum; Dato; Sendt; Skickat; Sent dato; Dagsetning; Sent þann; Lähetetty;
        Päivämäärä; Päiväys; Pvm; Saadetud; Kuupäev; Saatmisaeg; Wysłano; Wysłane; Data wysłania; Odesláno; Dne;
        Dátum; Odoslané; Odoslaná; Poslané; Poslano; Poslato; Послато; Датум; Дата; Отправлено; Послано; Надіслано;
        Дата и время; Изпратено; Дата відправлення; Отправлен; Відправлено; Elküldve; Küldve; Küldés dátuma; Küldés
        ideje; Trimis; Dată; Data trimiterii; Trimis la; Tarih; Gönderildi; Gönderme; Gönderilme Tarihi; Gönderim
        Tarihi; Gönderme Tarihi; Ημερομηνία; Στάλθηκε; Ημ/νία; Εστάλη; Datums; Nosūtīts; Sūtīts; Išsiųsta; תאריך;
        נשלח; נשלח ב; التاريخ; تاريخ; تم الإرسال; تاريخ الإرسال; وقت الإرسال; أرسلت; مرسلة; أُرسلت; تاریخ;
        ارسال شده; 日時; 送信日時; 日付;
        送信日; 날짜; 보낸 날짜; 보낸날짜; 보낸 시간; 전송일; 일시; 발송일시; 日期; 发送时间; 发送日期; 时间;
        傳送時間; 寄件日期; 傳送日期; 寄件時間; 發送時間; 已发送; 已傳送; 發送日期; Ngày; Đã gửi; Gửi lúc; Ngày gửi;
        Vào lúc; Thời gian; Tanggal; Dikirim; Terkirim; Tarikh; Dihantar; Hari; วันที่; ส่ง; ส่งเมื่อ;
        วันที่ส่ง; दिनांक; भेजा
        गया; तारीख
        """
    ),
    Field.TO: phrases(
        """
        To; Recipient; Recipients; Send to; An; Empfänger; Aan; Ontvanger; À; A; Pour; Destinataire; Para;
        Destinatario; Destinatário; Per; Perihal kepada; Til; Till; Modtager; Mottaker; Mottagare; Viðtakandi;
        Vastaanottaja; Vastaanottajat; Kenelle; Adressaat; Saaja; Kellele; Do; Adresat; Odbiorca; Komu; Pre;
        Príjemca; Příjemce; Za; Prima; Primatelj; Prejemnik; Primalac; За; Прима; Кому; Получатель; Отримувач;
        Одержувач; До; Получател; Каму; Címzett; Címzettek; Către; Destinatar; La; Kime; Alıcı; Προς; Παραλήπτης;
        Kam; Adresāts; Gavėjas; אל; נמען; إلى; الى; المستلم; به; گیرنده; 宛先; 送信先; 宛名; 받는 사람; 받는사람;
        수신; 받는이; 수신인; 收件人; 收件者; 至; 收信人; 發至; 发送至; 发给; Đến; Tới; Người nhận; Gửi đến; Gửi
        tới; Kepada; Untuk; Ke; Penerima; ถึง; ผู้รับ; प्रति; प्रेषिती
        """
    ),
    Field.CC: phrases(
        """
        Cc; CC; Carbon copy; Copy; Copies; Kopie; Kopie (CC); Copie; Copie à; Con copia; Com cópia; Copia; Cópia;
        Per conoscenza; CC-ontvangers; Còpia; Kopi; Kopia; Kopi til; Kopia till; Afrit; Kopio; Koopia; Dw; DW; Do
        wiadomości; Kopia do; Kópia; Kopie pro; Kopija; Копия; Копія; Копие; Копија; Másolat; Másolatot kap;
        Másolatot kapnak; Copie carbon; Bilgi; Κοιν; Κοιν.; Κοινοποίηση; Κοινοπ.; Kopēt; עותק; העתק; نسخة; نسخة إلى;
        نسخة كربونية; رونوشت; 참조; 抄送; 抄送人; 副本; 写し; カーボンコピー; 同报; Đồng gửi; Đồng kính gửi;
        Tembusan; Salinan; สำเนา; สำเนาถึง; प्रतिलिपि; Bcc; Blindkopie; Blindkopie (BCC); Cci; Cco; Ccn
        """
    ),
    Field.SUBJECT: phrases(
        """
        Subject; Re; Betreff; Betrifft; Objet; Sujet; Asunto; Assunto; Oggetto; Onderwerp; Assumpte; Gaia; Emne;
        Ämne; Efni; Aihe; Otsikko; Teema; Pealkiri; Temat; Předmět; Predmet; Zadeva; Naslov; Tema; Тема; Предмет;
        Относно; Наслов; Тэма; Tárgy; Subiect; Konu; Θέμα; Temats; Tēma; Dalykas; נושא; הנדון; الموضوع; موضوع;
        عنوان; 件名; 題名; 表題; 제목; 主题; 主旨; 主題; 标题; 標題; Chủ đề; Tiêu đề; Subjek; Perihal; Judul;
        Subyek; เรื่อง; หัวเรื่อง; หัวข้อ; विषय
        """
    ),
    Field.OTHER: phrases(
        """
        Reply-To; Reply to; Antwort an; Répondre à; Responder a; Responder para; Rispondi a; Antwoord aan; Svar til;
        Svara till; Vastausosoite; Odpowiedz do; Odpověď na; Odpoveď; Válaszcím; Răspuns către; Yanıt Adresi; Кому
        ответить; Обратный адрес; 返信先; 回复; 回覆; Importance; Priority; Wichtigkeit; Priorität; Importancia;
        Importância; Importanza; Urgentie; Priorité; Prioritet; Attachments; Attachment; Anlagen; Anhänge; Pièces
        jointes; Datos adjuntos; Anexos; Allegati; Bijlagen; Vedhæftede filer; Bifogade filer; Vedlegg;
        添付ファイル; 附件; Organization; Organisation; Organisatie; Organizzazione; Organización; Organização;
        Message-ID; Message-Id; Newsgroups; Resent-From; Resent-To; List-Post; Mailed-By; Signed-By; On behalf of;
        Im Auftrag von; Au nom de; En nombre de; Per conto di
        """
    ),
}

LABELS: dict[str, Field] = {
    label.casefold(): field for field, labels in reversed(list(WORDS.items())) for label in labels
}
