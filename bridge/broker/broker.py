"""The embedded broker as the daemon starts and stops it."""

from bridge.broker import listeners
from bridge.broker.base import Directory, DownlinkListener
from bridge.broker.hub import Hub
from bridge.broker.plugins import Plugins
from bridge.broker.settings import MqttSettings
from bridge.model.clock import Clock
from bridge.model.errors import BadSettings


class MqttBroker:
    """`hub` hands messages down to devices; `listen` names who hears of their acknowledgements."""

    def __init__(self, settings: MqttSettings, directory: Directory, clock: Clock) -> None:
        """Raises BadSettings when the certificates are no good, or amqtt does not accept the configured plug-ins."""
        from amqtt.errors import BrokerError, PluginError, PluginLoadError

        from bridge.broker.shell import Shell

        plugins = Plugins()
        self.hub = Hub(settings, directory, clock, plugins)
        try:
            self._listeners = listeners.configured(settings)
            self._shell = Shell(settings, self.hub, plugins, self._listeners)
        except (BrokerError, PluginError, PluginLoadError) as error:
            raise BadSettings(f"mqtt.plugins: {_why(error)}") from error
        self._binds = " and ".join(listener.bind for listener in self._listeners)

    def listen(self, listener: DownlinkListener) -> None:
        self.hub.listen(listener)

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where it listens: `mqtt`, `mqtts`, `ws` and `wss` as far as configured, and further listeners by name."""
        return self._shell.addresses()

    @property
    def address(self) -> tuple[str, int]:
        return self.addresses["mqtt"]

    @property
    def tls_address(self) -> tuple[str, int]:
        """Only with `tls_bind`."""
        return self.addresses["mqtts"]

    def reload(self) -> None:
        """Show new connections what the certificate files hold now; connections go on."""
        listeners.reload(self._listeners)

    async def start(self) -> None:
        """Returns when connections are accepted. Raises OSError when the address cannot be bound."""
        from amqtt.errors import BrokerError

        await self.hub.restore()
        self.hub.wheel.start()
        # amqtt logs a failed start with its traceback; who asked for the start reports it in one line.
        self._shell.logger.disabled = True
        try:
            await self._shell.start()
        except BrokerError as error:
            self._shell.close_listeners()  # those that could be opened
            self.hub.wheel.stop()
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from error
            raise OSError(f"cannot listen on {self._binds} for MQTT: {error.__cause__ or error}") from error
        finally:
            self._shell.logger.disabled = False

    async def stop(self) -> None:
        """Accept no more, end all connections with a reason, close."""
        self._shell.close_listeners()
        self.hub.shut_down()
        await self.hub.finish()
        self.hub.close()
        await self._shell.shutdown()
        self.hub.retained.close()
        self.hub.wheel.stop()


def _why(error: Exception) -> str:
    """amqtt puts the reason into the cause, and sometimes nowhere else."""
    return ": ".join(str(each) for each in (error, error.__cause__) if each is not None and str(each))
