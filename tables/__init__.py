"""What the stream remembers: one module per changelog-backed table. Tables do not know each other."""
