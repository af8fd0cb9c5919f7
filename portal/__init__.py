"""The portal: where people read tickets, answer and change their status."""
