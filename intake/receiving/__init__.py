"""How mail comes in: over SMTP and from IMAP servers, into the spool."""
