"""Who is believed when a header says that a mail is spam."""

from __future__ import annotations

import pytest

from intake.parsing.message import parse
from intake.parsing.spam_mark import by_host

TRUSTED = frozenset({"mx.desk.example", ".cloud.example"})
OURS = "Received: from relay.client.example (unknown [192.0.2.7])\r\n\tby mx.desk.example (Postfix) with ESMTPS id 4Xy"
THEIRS = "Received: from [10.0.0.7] (helo=laptop) by relay.client.example with esmtpa"
YES = "X-Spam-Flag: YES"


def marked(*fields: str, trusted: frozenset[str] = TRUSTED) -> str | None:
    head = "\r\n".join((*fields, "From: anna@client.example", "Subject: Prices"))
    return parse(f"{head}\r\n\r\nHello\r\n".encode(), trusted_hosts=trusted).spam_mark


def test_a_mark_above_our_own_received_is_believed() -> None:
    assert marked(YES, OURS, THEIRS) == YES


def test_a_mark_between_our_received_fields_is_believed() -> None:
    inner = "Received: from mx.desk.example by store7.cloud.example with LMTP"
    assert marked(inner, YES, OURS, THEIRS) == YES


def test_a_mark_that_our_server_put_right_below_its_own_received_is_believed() -> None:
    assert marked(OURS, YES, THEIRS) == YES


def test_a_mark_below_a_strangers_received_is_not_believed() -> None:
    assert marked(OURS, THEIRS, YES) is None


def test_mail_straight_from_a_stranger_is_believed_in_nothing() -> None:
    assert marked(YES, THEIRS) is None
    assert marked(YES) is None


def test_a_stranger_on_top_of_our_own_server_is_not_believed() -> None:
    assert marked(YES, THEIRS, OURS) is None


def test_without_trusted_hosts_nothing_is_believed() -> None:
    assert marked(YES, OURS, trusted=frozenset()) is None


def test_only_hosts_below_a_domain_that_begins_with_a_dot_are_trusted() -> None:
    def through(host: str) -> str | None:
        return marked(YES, f"Received: from x by {host} with LMTP")

    assert through("store7.cloud.example") == YES
    assert through("cloud.example") is None
    assert through("evilcloud.example") is None
    assert through("a.mx.desk.example") is None


@pytest.mark.parametrize(
    ("received", "host"),
    [
        ("from a.example (b.example [192.0.2.1]) by MX.Desk.Example (Postfix) with ESMTP id 1", "mx.desk.example"),
        ("by 2002:a05:6a10::1 with SMTP id x7; Sat, 21 Nov 2026 08:30:00 +0000", "2002:a05:6a10::1"),
        ("from by (by mx.desk.example) by real.example", "real.example"),
        ("from unknown (HELO x (by mx.desk.example)) (192.0.2.1) by real.example with SMTP", "real.example"),
        ("(qmail 1234 invoked by uid 89); 21 Nov 2026 08:30:00 -0000", ""),
        ("from x by", ""),
        ("", ""),
    ],
)
def test_the_host_behind_by_is_read(received: str, host: str) -> None:
    assert by_host(received) == host


@pytest.mark.parametrize(
    "field",
    [
        "X-Spam-Flag: YES",
        "X-Spam-Status: Yes, score=7.9 required=5.0 tests=BAYES_99\r\n\tautolearn=no",
        "X-Spam: Yes",
        "X-Spam: true",
        "X-Rspamd-Action: add header",
        "X-Spam-Action: reject",
        "X-Spamd-Result: default: True [16.50 / 15.00]; BAYES_SPAM(5.10)[100.00%]",
        "X-MS-Exchange-Organization-SCL: 5",
        "X-MS-Exchange-Organization-SCL: 9",
        "X-Forefront-Antispam-Report: CIP:192.0.2.1;CTRY:DE;LANG:en;SCL:5;SRV:;IPV:NLI;SFV:SPM;PTR:;CAT:SPM;",
        "X-Forefront-Antispam-Report: CIP:192.0.2.1;SCL:6;SFV:SKS;",
        "X-Microsoft-Antispam-Mailbox-Delivery: ucf:0;jmr:0;auth:0;dest:J;ENG:(910001)",
        "X-Barracuda-Spam-Status: Yes, SCORE=6.1 using global scores",
        "X-Proofpoint-Spam-Details: rule=inbound_spam policy=inbound score=100",
        "X-SES-Spam-Verdict: FAIL",
        "X-Bogosity: Spam, tests=bogofilter, spamicity=0.999",
        "X-DSPAM-Result: Spam",
        "X-UI-Filterresults: junk:10;V03:K0:abc",
        "X-Yandex-Spam: 4",
        "X-TM-AS-Result: Yes--12.345-7.0-31-10",
        "X-Fernhill-MailScanner-SpamCheck: spam, SpamAssassin (not cached, score=12)",
    ],
)
def test_what_the_filters_write_on_spam_is_known(field: str) -> None:
    name = field.partition(":")[0]
    mark = marked(field, OURS)
    assert mark is not None
    assert mark.startswith(name)
    assert "\n" not in mark


@pytest.mark.parametrize(
    "field",
    [
        "X-Spam-Flag: NO",
        "X-Spam-Status: No, score=-0.5 required=5.0",
        "X-Spam: no",
        "X-Spam-Level: ****",
        "X-Rspamd-Action: no action",
        "X-Rspamd-Action: greylist",
        "X-Spamd-Result: default: False [-3.18 / 50.00]; BAYES_HAM(-3.00)[100.00%]",
        "X-MS-Exchange-Organization-SCL: -1",
        "X-MS-Exchange-Organization-SCL: 1",
        "X-MS-Exchange-Organization-SCL: ⑤",
        "X-Forefront-Antispam-Report: CIP:192.0.2.1;SCL:1;SFV:NSPM;CAT:NONE;",
        "X-Forefront-Antispam-Report: SFV:SKN;SCL:-1;;;:;",
        "X-Microsoft-Antispam-Mailbox-Delivery: ucf:0;dest:I;ENG:(750129)",
        "X-Proofpoint-Spam-Details: rule=inbound_notspam policy=inbound score=0 classifier=spam",
        "X-SES-Spam-Verdict: PASS",
        "X-Bogosity: Ham, tests=bogofilter",
        "X-UI-Filterresults: notjunk:1;V03:K0:abc",
        "X-Yandex-Spam: 1",
        "X-Fernhill-MailScanner-SpamCheck: not spam, SpamAssassin (score=-5)",
        "X-Fernhill-MailScanner-SpamCheck:",
        "X-VR-SPAMSTATE: OK",
    ],
)
def test_what_the_filters_write_on_other_mail_marks_nothing(field: str) -> None:
    assert marked(field, OURS) is None
