"""`python -m tachograph.examples.siem`: prints the masked topic, one line an event, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any

from confluent_kafka import KafkaException

from tachograph.examples.siem.consumer import follow, settings
from tachograph.examples.siem.line import line


def parser() -> argparse.ArgumentParser:
    """What the example takes."""
    found = argparse.ArgumentParser(prog="python -m tachograph.examples.siem", description=__doc__)
    found.add_argument("--bootstrap", default="127.0.0.1:9092", help="Kafka, host:port")
    found.add_argument("--topic", default="tacho.masked", help="the masked topic")
    found.add_argument("--group", default="siem", help="the consumer group; each SIEM has its own")
    found.add_argument(
        "--client", action="append", default=[], metavar="KEY=VALUE", help="a librdkafka setting"
    )
    found.add_argument("--json", action="store_true", help="print each event as it lies in Kafka")
    found.add_argument("--count", type=int, help="stop after so many events")
    return found


def main(arguments: list[str]) -> int:
    """Exit code: 0 when stopped or done, 2 for wrong use, 3 if Kafka or the topic is not there for us."""
    options = parser().parse_args(arguments)
    pairs = [item.partition("=") for item in options.client]
    if any(not separator for _, separator, _ in pairs):
        sys.stderr.write("--client: expected KEY=VALUE\n")
        return 2
    state = {"stopped": False, "left": options.count}

    def stop(*_: object) -> None:
        state["stopped"] = True

    def take(event: dict[str, Any], value: bytes) -> None:
        print(value.decode() if options.json else line(event), flush=True)
        if state["left"] is not None:
            state["left"] -= 1

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    config = settings(options.bootstrap, options.group, {key: value for key, _, value in pairs})
    try:
        follow(config, options.topic, take, stop=lambda: state["stopped"] or state["left"] == 0)
    except KafkaException as error:
        sys.stderr.write(f"{options.topic}: {error.args[0].str()}\n")
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
