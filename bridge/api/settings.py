"""Section `[http]` of the configuration."""

from dataclasses import dataclass

from bridge.model.setting import setting


@dataclass(frozen=True)
class HttpSettings:
    bind: str = setting("127.0.0.1:8080", "Address and port of the HTTP listener; port 0 takes a free one.")
    max_body: int = setting(1_048_576, "Largest request body, in bytes.", minimum=1024, maximum=67_108_864)
    max_failed_logins: int = setting(
        20,
        "Failed logins a minute from one address that are answered at once; the answers to more are held back.",
        minimum=1,
        maximum=1_000_000,
    )
    cors_origins: tuple[str, ...] = setting(
        (), "Origins of web pages that may call from a browser, such as https://app.example.com; * is any origin."
    )
    shutdown_wait: float = setting(
        5.0, "Seconds running requests get to finish when the daemon stops.", minimum=0, maximum=300
    )
