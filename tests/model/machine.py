"""A machine whose clocks are in the hands of a test."""

from bridge.model.clock import EARLIEST, Reading

START = EARLIEST + 300 * 86_400_000


class Machine:
    """Its clocks stand still until they are moved."""

    def __init__(self, wall: int = START, boot: str = "first") -> None:
        self.boot = boot
        self.now = wall
        self.counted = 12_345

    def wall(self) -> int:
        return self.now

    def elapsed(self) -> int:
        return self.counted

    def read(self) -> Reading:
        return Reading(self.now, self.counted)

    def pass_by(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.counted += milliseconds

    def reboot(self, off: int) -> None:
        self.boot += "'"
        self.now += off
        self.counted = 1_000
