"""Deterministic ids: the same append made twice has the same id for ever, two different facts never share one.

Every id is the first 128 bits of BLAKE2b over its parts, each with its length before it, so that no choice of parts
can imitate another.
"""

import hashlib

from streamapp.domain.facts import Origin, Token


def _digest(*parts: str) -> str:
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hasher.update(len(encoded).to_bytes(4, "big"))
        hasher.update(encoded)
    return hasher.hexdigest()


def payload_digest(canonical: bytes) -> str:
    """Digest of a payload in canonical JSON (sorted keys, no white space)."""
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


def accepted_id(task_id: str, type: str, digest: str) -> str:
    """TaskAccepted: from task id, type and payload digest, so that a repeated submission is the same fact."""
    return _digest("TaskAccepted", task_id, type, digest)


def rejected_id(task_id: str, origin: Origin, digest: str) -> str:
    """TaskRejected: an event by its place in the topic; an HTTP submission by a digest of its body."""
    place = f"{origin.kind}/{origin.topic}/{origin.partition}/{origin.offset}"
    return _digest("TaskRejected", task_id, place, digest)


def dispatch_id(name: str, task_id: str, attempt: int) -> str:
    """Facts of dispatch: one per task, attempt and fact name, whoever decides."""
    return _digest(name, task_id, str(attempt))


def execution_id(name: str, task_id: str, attempt: int, worker: str, token: Token) -> str:
    """Facts of a worker: one per claim, so that two starts of one attempt stay two facts."""
    return _digest(name, task_id, str(attempt), worker, str(token.epoch), str(token.claim))


def requeued_id(task_id: str, actor: str, reason: str, request: str) -> str:
    """TaskRequeued: from what it says and the request it came with, so that a repeated request is the same fact."""
    return _digest("TaskRequeued", task_id, actor, reason, request)


def task_id_of_key(idempotency_key: str) -> str:
    """The task id of an Idempotency-Key: the same for the same key, for ever, with nothing stored."""
    return "idem-" + _digest("Idempotency-Key", idempotency_key)


def message_id(task_id: str, attempt: int) -> str:
    """AMQP message id of a job: a job published twice carries the same one."""
    return f"{task_id}:{attempt}"
