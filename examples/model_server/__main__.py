"""`python -m tachograph.examples.model_server [--port N] [--pace SECONDS]`."""

from __future__ import annotations

from tachograph.examples import facts
from tachograph.examples.model_server.server import application
from tachograph.examples.serving import options, serve


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--pace", type=float, default=0.005, help="seconds between two streamed events")
    told = parser.parse_args()
    serve(application(facts.load(), told.log, pace=told.pace), told.port)


if __name__ == "__main__":
    main()
