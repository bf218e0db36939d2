"""Replay as a product: plan it, carry it out, follow it, certify it, and verify that the views are what the diary says.

In: the topics, the tables of a role on disk and over HTTP. Out: decisions as values, and a certificate. Publishes
nothing, appends nothing, runs nothing: the agents rebuild their tables, this looks at what they did.
"""
