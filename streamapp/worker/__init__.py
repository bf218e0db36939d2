"""The worker: runs jobs from RabbitMQ under the guard and tells the diary what came of them.

In: deliveries. Out: facts, then acks. A job is acked only when its outcome is in Kafka. Never reads Kafka or a view,
keeps no history, knows no other worker.
"""
