"""Bytes: what is written can be read for ever, and nothing that comes from outside can do harm."""
