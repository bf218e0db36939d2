"""The peers: what people run today for the same work, each in an environment of its own, set up as its users would.

In: a folder, addresses of running brokers, how many tasks. Out: figures. Nothing here knows streamapp, and streamapp
knows nothing of it. What each peer is set to, and why, is in README.md beside this file.
"""
