"""A long run by hand. Ends with 1, and every sentence of every rule that was broken, when one was."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from tests.acceptance.daemon import Daemon
from tests.acceptance.ledger import rules
from tests.acceptance.ledger.faulty_daemon import FAULTS
from tests.acceptance.ledger.site import SETTINGS, LedgerSite


@click.command()
@click.option("--kills", default=100, show_default=True, help="How often the daemon is killed.")
@click.option("--seed", default=0, show_default=True)
@click.option("--fault", type=click.Choice(sorted(FAULTS)), help="A fault that the run has to find.")
def main(kills: int, seed: int, fault: str | None) -> None:
    """Keep a ledger while the daemon is killed."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, ExitStack() as closing:
        program = {"program": ("-m", "tests.acceptance.ledger.faulty_daemon", fault)} if fault else {}
        daemon = Daemon(Path(folder), SETTINGS, **program)  # type: ignore[arg-type]
        closing.callback(daemon.close)
        daemon.start()
        site = LedgerSite(daemon, closing, seed)
        site.start()
        for number in range(1, kills + 1):
            site.kill()
            click.echo(f"kill {number}: {site.book.accepted()} messages, {len(site.book.exchanges)} between clients")
        site.settle()
        broken = rules.broken(site.book)
        for name, sentences in broken.items():
            click.echo(f"\n{name}: {len(sentences)}")
            for sentence in sentences:
                click.echo(f"  {sentence}")
        sys.exit(bool(broken))


if __name__ == "__main__":
    main()
