"""What can go wrong with the brokers. Every message says what to do about it."""


class BrokerError(Exception):
    """A broker could not be installed, started or stopped."""


class NotInstalled(BrokerError):
    """A program that is needed is missing from this machine."""


class InstallationFailed(BrokerError):
    """The package manager or Maven was run and did not succeed."""


class JarsDamaged(BrokerError):
    """Kafka's jars are not exactly those that are pinned in jars.sha256."""


class PortTaken(BrokerError):
    """Another program listens on a port that a broker needs."""


class StartedDifferently(BrokerError):
    """The broker of this folder already runs, but with other ports or another profile."""


class NotReady(BrokerError):
    """The broker did not answer its own protocol in time, or died. The end of its log is quoted."""
