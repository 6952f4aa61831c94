"""The DataArts dialect: notifications are confirmed, for now or for a time."""
