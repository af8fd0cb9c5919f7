"""Mail in, mail out: receiving, reading, deciding, recording and sending."""
