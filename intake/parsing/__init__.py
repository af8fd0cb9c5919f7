"""Reading mail: bytes in, `ParsedMessage` out.

Everything in this package is pure. It opens no file, no socket and no database, it depends on nothing
but its arguments, it never raises on any input, and its time is linear in the size of the input.
"""
