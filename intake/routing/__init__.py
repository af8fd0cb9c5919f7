"""What to do with a mail: pure rules over a read message and the gathered facts."""
