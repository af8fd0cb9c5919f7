"""How much of a mail is looked at. What lies beyond stays in the stored raw mail, and a defect says so."""

from __future__ import annotations

MAX_DEPTH = 40
"""Levels of multiparts and attached mails within each other. What is deeper is kept as one attachment."""

MAX_PARTS = 1000
"""Parts of one mail, at all levels together."""

MAX_HEADERS = 1000
"""Header lines (unfolded) of one part; the header block of a mail has a few dozen."""

MAX_HEADER_BLOCK = 4_000_000
"""Bytes of all headers of one part together, each as far as it is read."""

MAX_HEADER_LENGTH = 65_536
"""Characters of one header's value."""

MAX_PEOPLE = 1000
"""Addresses that are read from one header."""

MAX_IDS = 500
"""Message-IDs that are read from one header."""

MAX_TEXT = 2_000_000
"""Characters of readable text that are kept of one mail."""

MAX_HTML = 2_000_000
"""Characters of HTML that are sanitised and rendered."""

MAX_HTML_DEPTH = 500
"""Levels of elements within each other; the time of a sanitiser grows with size times depth."""

MAX_STYLE_DEPTH = 60
"""Levels of <b>, <font> and their like within each other."""

CHARSET_SAMPLE = 65_536
"""Bytes of a text that the detection of its charset looks at."""

MAX_OPENED = 100
"""Files that are taken out of one container (winmail.dat, or uuencoded files in a text)."""

MAX_FILENAME = 200
"""Characters of an attachment's name, its extension included."""

MAX_DEFECTS = 50
"""Sentences in `ParsedMessage.defects`."""
