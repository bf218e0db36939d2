"""Facts, jobs and submissions to bytes and back; the names of topics, queues and groups.

Nothing here reads settings or talks to a broker. What comes from outside is validated strictly and answered with every
field error at once; what does not decode raises `Undecodable` with the reason, and no reason quotes a value.
"""
