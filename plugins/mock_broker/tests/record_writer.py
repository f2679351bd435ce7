"""A desk that trades all day on a recorded account, for tests that kill it. Prints what it knows to be durable."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from mqd_core.api import Fill
from mqd_plugin_mock.connector import MockBrokerConnector
from mqd_plugin_mock.settings import MockBrokerSettings


def main(path: str) -> None:
    """Buy and sell by turns, a line to stdout for each answer."""
    bench = runpy.run_path(str(Path(__file__).with_name("conftest.py")))["Bench"]()
    broker = MockBrokerConnector(MockBrokerSettings(record=path), bench.context(Path(path).parent))
    broker.open(lambda _event: None)
    known = broker.orders(0)
    minute = int(known[-1].client_order_id[1:]) if known else 0
    if broker.venue.working:
        bench.show(broker.venue, bench.bar(minute, 100.0))
    while minute < bench.last_minute:
        minute += 1
        name = f"n{minute}"
        broker.submit(bench.order(name, "sell" if broker.positions() else "buy", minute=minute))
        sys.stdout.write(f"taken {name}\n")
        sys.stdout.flush()
        for event in bench.show(broker.venue, bench.bar(minute, 100.0)):
            assert isinstance(event, Fill)
            sys.stdout.write(f"filled {name}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
