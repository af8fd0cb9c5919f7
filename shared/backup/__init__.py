"""A backup: the whole desk at one moment, in one file, taken while it runs and put back whole or not at all."""
