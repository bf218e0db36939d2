"""What lives with a StreamApp: started and stopped with it, told what happens to its partitions."""


class Resident:
    """Every step does nothing unless overridden."""

    async def start(self) -> None:
        """The app starts; nothing is assigned yet."""

    async def restored(self) -> None:
        """After every rebalance: the tables are restored. Their applied offsets decide next where reading goes on."""

    async def assigned(self, partitions: dict[str, set[int]]) -> None:
        """After every rebalance, tables restored, before the first fact is folded: topic → partitions held now."""

    async def revoked(self) -> None:
        """Before a rebalance: act on nothing until `assigned`; settle what is in flight, within a bound."""

    async def stop(self) -> None:
        """The app stops."""
