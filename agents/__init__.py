"""What the stream does: one module per agent. Agents do not know each other."""
