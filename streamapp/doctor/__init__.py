"""The doctor: whether the books of a running system agree, and what to do where they do not.

In: what Kafka, RabbitMQ, Redis and the diary said a moment ago, twice (`look`). Out: named checks with a verdict each
(`verdicts`). Pure: whoever asks the systems is elsewhere (`streamapp.cli`), and nothing here can change anything.
"""

from streamapp.doctor.verdicts import Check, Finding, Silent, Verdict, healthy

__all__ = ["Check", "Finding", "Silent", "Verdict", "healthy"]
