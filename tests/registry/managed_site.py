"""Store, broker, delivery and registry, without HTTP."""

from typing import Self

from bridge.model.record import Enrolment, Profile, Record
from bridge.registry import Presence, Registry
from tests.broker.site import SECRET, Site


class ManagedSite(Site):
    """Its devices are in the project `default`."""

    presence: Presence
    registry: Registry

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.presence = Presence(self.store, self.clock)
        self.hub.watch(self.presence)
        self.presence.start()
        self.registry = Registry(self.store, self.hub, self.presence)
        return self

    async def stop(self) -> None:
        for client in self._clients:
            client.abort()
        self.delivery.stop()
        await self.broker.stop()
        self.presence.stop()
        await self.store.close()

    async def enrol(self, device_id: str, gateway_id: str | None = None) -> Record:
        enrolment = Enrolment(device_id, Profile(device_id), secret=SECRET, gateway_id=gateway_id)
        return await self.registry.add("default", enrolment)

    def show(self, device_id: str) -> Record:
        return self.registry.show("default", device_id)

    def state(self, device_id: str) -> str:
        return self.show(device_id).status

    async def written(self) -> None:
        """What was seen so far is in the database, or was refused."""
        await self.let_pass(0.1)
        await self.store.flush()
        while self.presence._busy:
            await self.store.flush()
            if self.store.refusal is not None:
                break
