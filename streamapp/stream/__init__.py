"""The engine room under the agents: Faust, made to consume record batches and to resume from its tables.

Everything that overrides a private part of Faust is in `transport` and `table`, behind a check of the exact version.
"""
