"""device-bridge: durable messages for devices, and the truth about their delivery."""

__version__ = "0.1.0"
