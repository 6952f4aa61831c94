"""What survives a restart: messages, events, devices, tokens, access keys. The only package that knows SQL."""

from bridge.store.access_keys import ListedKey
from bridge.store.admin import Admin
from bridge.store.damage import diagnosis, is_damage
from bridge.store.settings import StoreSettings
from bridge.store.store import Store
from bridge.store.tokens import Token

__all__ = ["Admin", "ListedKey", "Store", "StoreSettings", "Token", "diagnosis", "is_damage"]
