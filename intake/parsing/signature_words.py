"""Words of signatures: closings, and the lines that telephones and webmailers add.

Compared without letter case; separated by semicolons.
"""

from __future__ import annotations

from intake.parsing.textlines import phrases

# A line of its own, above the name.
CLOSINGS: frozenset[str] = frozenset(
    phrases(
        """
        regards; best regards; kind regards; warm regards; kindest regards; best; all the best; best wishes; cheers;
        thanks; thank you; many thanks; thanks a lot; thanks again; thank you very much; thanks in advance; thanks
        and regards; thanks & regards; sincerely; yours sincerely; sincerely yours; yours faithfully; yours truly;
        respectfully; cordially; rgds; brgds; br; kr; thx; warmest regards; with best regards; with kind regards;
        with regards; take care; ta; love; yours; thanks so much; thank you in advance; thank you and best regards;
        warmly; with thanks; thank you so much; mit freundlichen grüßen; mit freundlichem gruß; freundliche grüße;
        freundliche grüsse; mit freundlichen grüssen; viele grüße; viele grüsse; liebe grüße; liebe grüsse; beste
        grüße; beste grüsse; schöne grüße; herzliche grüße; herzliche grüsse; gruß; grüße; gruss; grüsse; mfg; lg;
        vg; bg; mit besten grüßen; mit besten grüssen; danke; vielen dank; hochachtungsvoll; mit lieben grüßen;
        danke und gruß; vielen dank und viele grüße; besten dank; mit herzlichen grüßen; cordialement; bien
        cordialement; très cordialement; bien à vous; bien à toi; cdlt; cdt; sincèrement; salutations; meilleures
        salutations; merci; merci d'avance; merci beaucoup; amicalement; sincères salutations; salutations
        distinguées; bonne journée; bien cdt; respectueusement; avec mes remerciements; belle journée; bonne
        réception; saludos; un saludo; saludos cordiales; cordialmente; atentamente; gracias; muchas gracias; atte;
        atte.; un cordial saludo; un abrazo; salu2; reciba un cordial saludo; saludos cordiales y gracias; muchas
        gracias y saludos; afectuosamente; gracias y saludos; salutacions; salutacions cordials; gràcies; agur;
        atenciosamente; cumprimentos; com os melhores cumprimentos; melhores cumprimentos; obrigado; obrigada; muito
        obrigado; muito obrigada; abraço; abraços; att; att.; cordiais saudações; grato; grata; com os meus
        cumprimentos; saudações; um abraço; respeitosamente; desde já agradeço; abs; abs.; cordiali saluti; distinti
        saluti; saluti; un saluto; grazie; grazie mille; cordialità; un cordiale saluto; buona giornata; grazie e
        saluti; cari saluti; molte grazie; tanti saluti; grazie e buona giornata; met vriendelijke groet; met
        vriendelijke groeten; vriendelijke groet; vriendelijke groeten; groet; groeten; groetjes; mvg; bedankt;
        hartelijk dank; dank; met hartelijke groet; hartelijke groeten; alvast bedankt; dank je wel; dank u wel; gr;
        gr.; m.v.g.; med venlig hilsen; venlig hilsen; de bedste hilsner; bedste hilsner; mange hilsner; hilsen;
        mvh; kh; vh; dbh; med venlige hilsner; venlige hilsner; tak; mange tak; kærlig hilsen; på forhånd tak; mange
        venlige hilsner; de venligste hilsner; tak for hjælpen; kærlige hilsner; mange tak for hjælpen; med vennlig
        hilsen; vennlig hilsen; beste hilsen; beste hilsener; hilsener; takk; mange takk; på forhånd takk; vennlige
        hilsener; tusen takk; med vennlege helsing; helsing; med vänlig hälsning; med vänliga hälsningar; vänliga
        hälsningar; vänlig hälsning; hälsningar; hälsning; bästa hälsningar; tack; tack på förhand; varma
        hälsningar; allt gott; mvh.; tack så mycket; hälsn; vh.; kram; många hälsningar; tusen tack; m v h; med
        vänlig hälsning/best regards; trevlig helg; kveðja; kær kveðja; takk fyrir; bestu kveðjur; með kveðju;
        ystävällisin terveisin; terveisin; parhain terveisin; yst. terv.; yst.terv.; t.; terv.; terkuin; kiitos;
        kiittäen; kiitos etukäteen; terveiset; yt; kiitoksia; lugupidamisega; parimate soovidega; tervitades; tänan;
        tänades; aitäh; heade soovidega; ette tänades; ar cieņu; paldies; pagarbiai; ačiū; su pagarba; geros dienos;
        pozdrawiam; z poważaniem; z wyrazami szacunku; pozdrawiam serdecznie; serdecznie pozdrawiam; pozdrowienia;
        dziękuję; dzięki; z góry dziękuję; serdeczności; z pozdrowieniami; łączę pozdrowienia; pozdr; pozdr.;
        dziękuję i pozdrawiam; łączę wyrazy szacunku; miłego dnia; s pozdravem; s přátelským pozdravem; děkuji;
        díky; zdravím; hezký den; s úctou; děkuji a přeji hezký den; předem děkuji; děkuji předem; pěkný den;
        děkujeme; přeji hezký den; s pozdravom; s priateľským pozdravom; ďakujem; vďaka; pekný deň; s úctou a
        pozdravom; vopred ďakujem; dakujem; zdravim; lep pozdrav; lepo pozdravljeni; s spoštovanjem; hvala; lp;
        srdačan pozdrav; s poštovanjem; pozdrav; lijep pozdrav; unaprijed hvala; puno pozdrava; hvala i pozdrav;
        hvala unaprijed; srdačno; pozdravi; hvala lepa; hvala lijepa; puno hvala; sa poštovanjem; hvala vam; lep
        pozdrav,; unapred hvala; поздрав; хвала; с поштовањем; срдачан поздрав; üdvözlettel; tisztelettel; üdv;
        üdv.; köszönettel; köszönöm; köszi; üdvözlet; előre is köszönöm; baráti üdvözlettel; szép napot; köszönöm
        szépen; szívélyes üdvözlettel; minden jót; kösz; köszönöm előre is; cu stimă; cu respect; mulțumesc;
        mulţumesc; cu drag; toate cele bune; numai bine; vă mulțumesc; o zi bună; mulțumesc anticipat; cu
        considerație; multumesc; cu stima; cu prietenie; o zi buna; va multumesc; saygılarımla; iyi çalışmalar;
        teşekkürler; teşekkür ederim; iyi günler; sevgiler; saygılar; selamlar; en iyi dileklerimle; iyi günler
        dilerim; iyi çalışmalar dilerim; saygılarımızla; kolay gelsin; çok teşekkürler; şimdiden teşekkürler; hoşça
        kalın; με εκτίμηση; φιλικά; ευχαριστώ; ευχαριστώ πολύ; χαιρετισμούς; με φιλικούς χαιρετισμούς; χαιρετώ;
        ευχαριστώ εκ των προτέρων; φιλικούς χαιρετισμούς; καλή συνέχεια; ευχαριστούμε; me respekt; faleminderit;
        përshëndetje; с уважением; спасибо; с наилучшими пожеланиями; заранее спасибо; всего доброго; всего
        хорошего; большое спасибо; с благодарностью; хорошего дня; искренне ваш; благодарю; удачи; с ув.; з повагою;
        дякую; щиро дякую; наперед дякую; з найкращими побажаннями; гарного дня; всього найкращого; заздалегідь
        дякую; з вдячністю; поздрави; с уважение; благодаря; поздрави,; сърдечни поздрави; предварително благодаря;
        хубав ден; со почит; с поздрави; з павагай; дзякуй; בברכה; תודה; תודה רבה; בכבוד רב; תודה מראש; בברכה רבה;
        יום טוב; מע; مع التحية; تحياتي; شكرا; شكراً; مع أطيب التحيات; وشكرا; شكرا جزيلا; مع الشكر; تقبلوا تحياتي; مع
        خالص التحية; مع فائق الاحترام; شكرا لكم; با تشکر; با احترام; ممنون; با سپاس; متشکرم; よろしくお願いします;
        よろしくお願いいたします; 宜しくお願いします; 宜しくお願い致します; 以上; 敬具; よろしくお願い致します;
        以上、よろしくお願いいたします; 以上、よろしくお願いします; 何卒よろしくお願いいたします; 감사합니다;
        고맙습니다; 안녕히 계세요; 수고하세요; 감사드립니다; 올림; 此致; 此致敬礼; 谢谢; 謝謝; 祝好; 顺祝商祺; 敬上;
        顺颂商祺; 感谢; 感謝; 祝工作顺利; 祝 好; 敬祝; 順頌商祺; 多谢; 多謝; 谢谢！; 商祺; trân trọng; xin cảm ơn;
        cảm ơn; thân mến; thân ái; trân trọng cảm ơn; kính thư; cám ơn; chân thành cảm ơn; trân trọng kính chào;
        salam; hormat saya; terima kasih; salam hormat; hormat kami; terima kasih banyak; makasih; yang benar; salam
        hangat; sekian terima kasih; yang ikhlas; ขอบคุณครับ; ขอบคุณค่ะ; ขอบคุณ; ขอแสดงความนับถือ; ด้วยความนับถือ; धन्यवाद;
        सादर; आभार; शुभकामनाएं; salamat; maraming salamat; gumagalang
        """
    )
)

# A whole line that a device or a program added, without its full stop.
MOBILE_STARTS: tuple[str, ...] = phrases(
    """
    sent from my; sent from mail for; sent from outlook; sent from yahoo mail; sent from samsung; sent from proton
    mail; sent from protonmail; sent from mobile; sent from a mobile; sent from gmail mobile; sent from mailbox;
    sent from aol; sent from android; sent from blue; sent from nine; sent from spark; sent from canary; sent from
    airmail; sent from polymail; sent from superhuman; sent from tutanota; sent from fastmail; sent from windows;
    sent from iphone; sent from ipad; sent from an iphone; sent from type app; sent from typeapp; sent from
    email.de; sent from xfinity; sent from the all-new aol; sent from surface; sent from touchdown; sent from
    acompli; sent from zimbra; sent from icloud; sent via my; sent via blackberry; sent via proton; sent via mobile;
    sent via the samsung; sent via samsung; sent via mail; sent with proton; sent with protonmail; sent with shift;
    sent with airmail; sent with sparrow; sent with mailspring; sent with spark; sent with tutanota; sent with
    aquamail; sent with unibox; sent with mailtrack; sent with k-9; sent using; sent wirelessly; sent securely from;
    sent securely with; sent by my; get outlook for; download outlook for; typed with my thumbs; typed on my;
    written on my; please excuse my brevity; please excuse brevity; excuse my brevity; via mobile; via my mobile; on
    the go; from my iphone; from my ipad; from my mobile; from my android; from my blackberry; from my phone; mobile
    - please excuse; sent on the go; secured with tutanota; sent on my; message sent from my; this message was sent
    from my; sent from our; get bluemail for; yahoo mail: search, organize, conquer; von meinem iphone gesendet; von
    meinem ipad gesendet; von meinem; von meiner; gesendet von; gesendet mit; gesendet über; gesendet aus; gesendet
    mittels; gesendet vom; von unterwegs; von unterwegs gesendet; diese nachricht wurde von meinem; diese nachricht
    wurde von mein; diese nachricht wurde mit; diese mail wurde mit; holen sie sich outlook für; hol dir outlook
    für; outlook für ios beziehen; outlook für android beziehen; laden sie outlook für; vom iphone gesendet; vom
    ipad gesendet; vom handy gesendet; mobil gesendet; von samsung mobile gesendet; von samsung-tablet gesendet; von
    yahoo mail auf; von yahoo mail für; mit freundlichen grüßen von meinem; entschuldigen sie die kürze; bitte
    entschuldigen sie die kürze; bitte entschuldigt die kürze; bitte entschuldige die kürze; sicher gesendet mit;
    sicher versendet mit; gesichert mit tutanota; envoyé de mon; envoyé depuis; envoyé à partir; envoyé via; envoyé
    par; envoyé avec; envoyé sans fil; envoyé d'un; envoyé d’un; envoyé du; obtenez outlook pour; télécharger
    outlook pour; téléchargez outlook pour; envoyée depuis; provenance : courrier pour; envoyé de l'application;
    obtenir outlook pour; envoyé de outlook; envoyé de mobile; envoyé mobile; de mon iphone; depuis mon iphone;
    enviado desde mi; enviado desde; enviado con; enviado a través; enviado por; enviado mediante; enviado de mi;
    obtener outlook para; descargue outlook para; enviado vía; obtén outlook para; enviado do meu; enviado a partir;
    enviado de; enviado pelo; enviado via; enviada do; enviada a partir; enviado do; enviado com; obter o outlook
    para; obtenha o outlook para; baixe o outlook para; enviada pelo; obtenha outlook para; get outlook para;
    transferir o outlook para; enviat des; enviat des del; enviado dende; inviato da; inviato dal; inviato con;
    inviato tramite; inviato dall'; inviato dalla; scarica outlook per; ottieni outlook per; inviata da; inviato
    via; mandato dal; inviato mobile; spedito da; mandato da; verzonden vanaf; verstuurd vanaf; verzonden via;
    verzonden met; verstuurd met; verzonden vanuit; verstuurd vanuit; verstuurd via; outlook voor; download outlook
    voor; outlook downloaden voor; vanaf mijn; van mijn iphone; verzonden van mijn; verstuurd van mijn; vanaf mijn
    mobiel; ontvang outlook voor; outlook voor ios downloaden; outlook voor android downloaden; outlook voor ios
    ophalen; sendt fra; sendt via; sendt med; hent outlook til; hent outlook for; få outlook til; få outlook for;
    skickat från; skickat via; skickat med; hämta outlook för; skaffa outlook för; skickades från; från min iphone;
    skickat ifrån; sänt från; sänt med; fra min iphone; last ned outlook for; sendt trådløst; afsendt fra; sent úr;
    sent frá; sendt min; skickat med hjälp av; skickat ifran; sendt mobilt; ladda ned outlook för; hämta outlook för
    ios; sendt uden fejl fra; lähetetty; hanki outlook; lataa outlook; saadetud minu; saadetud; hankige outlook;
    hankige outlook seadmele; nosūtīts no mana; sūtīts no; išsiųsta iš mano; išsiųsta iš; išsiųsta naudojant;
    wysłane z; wysłano z; wysłane przez; wysłano przez; pobierz program outlook; pobierz outlook; uzyskaj outlook;
    wysłano ze; wysłane ze; wysłano za pomocą; wysłane za pomocą; wysłano telefonem; odesláno z; odesláno ze;
    odesláno pomocí; odesláno přes; odeslano z; poslat z; získat outlook; získejte outlook; stáhnout outlook;
    posláno z; odoslané z; odoslané zo; odoslané pomocou; poslané z; získajte outlook; získať outlook; stiahnuť
    outlook; odoslane z; poslane z; odesláno z mobilu; poslano z; poslano iz; poslano s; poslato sa; poslato iz;
    poslano preko; preuzmite outlook; nabavite outlook; pridobite outlook; poslano z mojega; poslano putem; poslato
    preko; nabavite aplikaciju outlook; послато са; poslano sa; послано са; преузмите outlook; elküldve; küldve;
    iphone-omról küldve; az iphone-omról küldve; ipademről küldve; az outlook beszerzése; küldve az; az outlook
    letöltése; szerezd meg az outlook; elküldve a; iphone készülékemről küldve; iphone-ról küldve; samsung mobilról
    küldve; samsung galaxy; küldve a; az üzenetet mobil; az e-mailt; trimis de pe; trimis din; trimis de la; trimis
    cu; obțineți outlook; trimis prin; obține outlook; descărcați outlook; trimis de; iphone'umdan gönderildi;
    iphone'dan gönderildi; iphone’umdan gönderildi; ipad'imden gönderildi; ipad’imden gönderildi; samsung cep
    telefonumdan gönderildi; samsung mobile'dan gönderildi; android için outlook; ios için outlook; outlook for ios
    uygulamasını; outlook for android uygulamasını; windows için posta; samsung galaxy akıllı telefonumdan
    gönderildi; android için yahoo; cep telefonumdan gönderildi; yandex.mail'den gönderildi; ios için outlook'u
    edinin; android için outlook’u edinin; huawei cihazımdan gönderildi; στάλθηκε από; εστάλη από; αποστολή από;
    αποστάλθηκε από; λήψη του outlook; αποκτήστε το outlook; dërguar nga; отправлено с; отправлено из; отправлено
    от; отправлено через; послано с; скачать outlook; получить outlook; получите outlook; надіслано з; надіслано із;
    відправлено з; отримати outlook; завантажити outlook; отримайте outlook; изпратено от; изпратено с; изпратено
    чрез; изтеглете outlook; испратено од; отправлено мобильной; отправлено моим; адпраўлена з; вземете outlook;
    надіслано за допомогою; отправлено при помощи; נשלח מה; נשלח מ; קבל את outlook; הורד את outlook; נשלח באמצעות;
    קבלו את outlook; להורדת outlook; أُرسلت من; أرسلت من; مرسل من; تم الإرسال من; الحصول على outlook; تم إرسالها من;
    احصل على outlook; أرسل من; ارسل من; مُرسلة من; ارسال شده از; ارسال از; فرستاده شده از; iphoneから送信;
    私のiphoneから送信; ipadから送信; 私のipadから送信; iphoneより送信; スマートフォンから送信; androidから送信;
    outlook for iosを入手; outlook for android を入手; outlook for ios を入手; outlook for androidを入手;
    yahoo!メール; windows 版のメールから送信; windows 10 版のメールから送信; xperiaから送信; galaxyから送信; gmail
    モバイルから送信; ドコモ; ios版outlookを入手; android版outlookを入手; ipadより送信; 나의 iphone에서; 나의
    ipad에서; 내 iphone에서; 내 ipad에서; iphone에서 보냄; ios용 outlook; android용 outlook; 삼성 모바일에서;
    samsung galaxy 스마트폰에서; windows용 메일에서; 네이버 메일앱에서; 갤럭시에서 보냄; 내 galaxy에서;
    안드로이드에서 보냄; ipad에서 보냄; samsung 휴대폰에서; 나의 galaxy에서; gmail 모바일에서; 모바일에서 보냄; 삼성
    갤럭시에서; 发自我的; 发自; 从我的; 發自我的; 發自; 從我的; 从 windows 版邮件发送; 從 windows 版郵件傳送; 获取
    outlook; 获取outlook; 取得 outlook; 下载 outlook; 下載 outlook; 使用 outlook; 来自我的; 從 iphone 傳送;
    從我的iphone傳送; 从我的iphone发送; 傳送自 windows; 寄自我的; 从 iphone 发送; 发送自; 傳送自; 由我的;
    我的iphone傳送; 取得ios 版 outlook; 获取适用于; 取得適用於; 从魅族; 从华为; 發送自; 取得 ios 版 outlook; đã gửi
    từ; được gửi từ; gửi từ; đã được gửi từ; tải outlook; tải xuống outlook; gửi bằng; dikirim dari; dikirim dengan;
    terkirim dari; dihantar dari; dihantar daripada; unduh outlook; dapatkan outlook; dikirim menggunakan; dikirim
    melalui; dikirim via; ส่งจาก iphone; ส่งจาก ipad; ส่งจาก; รับ outlook; ดาวน์โหลด outlook; मेरे iphone से भेजा गया; मेरे
    ipad से भेजा गया; se envió desde
    """
)

# One of them must stand in the line too: "Sent from my iPhone", and not "Sent from my old address".
DEVICES: tuple[str, ...] = phrases(
    """
    iphone; iphon; ipad; ipod; android; samsung; galaxy; blackberry; nokia; htc; huawei; xiaomi; redmi; xperia;
    motorola; moto g; oneplus; pixel; windows; outlook; mail; gmail; yahoo; aol; gmx; web.de; proton; tutanota;
    tuta; smartphone; phone; handy; mobil; móvil; movil; mobiel; telefon; téléphone; teléfono; telefono; telemóvel;
    celular; cellulare; cellular; tablet; surface; spark; bluemail; airmail; polymail; superhuman; newton;
    thunderbird; k-9; fairemail; aquamail; apple; macbook; ios; icloud; zimbra; touchdown; boxer; canary; device;
    gerät; terminal; puhelimesta; puhelimella; matkapuhelin; телефон; мобил; мобіл; смартфон; почт; пошт; айфон;
    яндекс; κινητό; συσκευή; נייד; אייפון; אנדרואיד; هاتف; جوال; الآيفون; آیفون; گوشی; スマートフォン; ケータイ;
    手机; 手機; 邮箱; 邮件; 郵件; 휴대폰; 갤럭시; 스마트폰; 아이폰; điện thoại; ponsel; ไอโฟน; มือถือ; mailbox;
    mailspring; mobiltelefon; lg-; honor; oppo; vivo; xfinity; fastmail; t-mobile; typeapp
    """
)

# A device's line is a sentence without a comma, unless it asks for pardon.
EXCUSES: tuple[str, ...] = phrases(
    """
    excuse; typo; brevity; brief; kürze; tippfehler; fautes; brièveté; disculp; errores; desculp; scus; refus;
    excus; forgive; pardon; entschuldig; organize, conquer; secure
    """
)

# Complete lines of the same kind that name no device.
MOBILE_LINES: frozenset[str] = frozenset(
    phrases(
        """
        via mobile; sent via mobile; sent from mobile; typed with my thumbs; on the go; sent on the go; von
        unterwegs; von unterwegs gesendet; please excuse my brevity; excuse my brevity; mobil gesendet; sent from my
        cell
        """
    )
)
