"""Poison: what strangers, careless producers and hostile clients may send, by the ten thousand."""
