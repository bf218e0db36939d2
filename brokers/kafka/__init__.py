"""Kafka as a process: its pinned jars, the node (KRaft), its protocol's answer, its command line."""
