"""An inbox that nothing is in: for tests that are about something else."""

from bridge.model.errors import UnknownNotification
from bridge.model.notification import Bounds, Notice, Notification, Selection


class NoInbox:
    def inbox(self, project: str, selection: Selection) -> list[Notification]:
        return []

    def history(self, project: str, selection: Selection) -> list[Notification]:
        return []

    def bounds(self, project: str, selection: Selection) -> Bounds:
        return Bounds(0, None, None)

    def show(self, project: str, notification_id: str) -> Notification:
        raise UnknownNotification

    async def post(self, notice: Notice) -> Notification:
        raise NotImplementedError

    async def mark_read(self, project: str, notification_id: str, read: bool) -> Notification:
        raise UnknownNotification

    async def clear(self, project: str) -> None:
        pass

    async def confirm(self, project: str, confirmed: str, by: str, process_at: int | None) -> None:
        raise UnknownNotification
