"""What streamapp is about, without anything that does I/O.

Facts go in, state and decisions come out. Only the standard library and msgspec's structs are imported here, and
nothing that reads a clock, rolls dice or touches a file: time arrives as an argument, chance is derived from ids.
"""
