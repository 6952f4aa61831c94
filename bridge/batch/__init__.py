"""Batch tasks: one message for many devices, worked off at a measured pace and resumed after a restart."""

from bridge.batch.batches import Batches
from bridge.batch.settings import BatchSettings

__all__ = ["BatchSettings", "Batches"]
