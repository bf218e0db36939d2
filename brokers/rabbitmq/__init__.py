"""RabbitMQ as a process: the Erlang VM that runs it, the epmd it registers with, and its handshake."""
