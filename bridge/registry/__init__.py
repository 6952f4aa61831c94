"""The devices of a site as applications manage them: what is stored about each, and what is true of it right now."""

from bridge.registry.presence import Presence
from bridge.registry.registry import Registry

__all__ = ["Presence", "Registry"]
