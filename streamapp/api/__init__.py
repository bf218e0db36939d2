"""The HTTP entrance: a submission is checked, appended to the diary, and answered 202 once Kafka has acknowledged it.

HTTP comes in; facts (TaskAccepted, TaskRejected, TaskRequeued) and answers go out. Never touches RabbitMQ or Redis,
runs no task and reads no view. `service` composes it; `python -m streamapp.api` serves it.
"""
