"""How mail goes out: deliveries become letters, letters become mails, and mails are handed to the next server."""
