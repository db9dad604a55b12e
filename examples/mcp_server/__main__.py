"""`python -m tachograph.examples.mcp_server [--port N]`; the tools are at `/mcp`."""

from __future__ import annotations

from tachograph.examples import facts
from tachograph.examples.mcp_server.server import application
from tachograph.examples.serving import options, serve


def main() -> None:
    told = options(__doc__).parse_args()
    serve(application(facts.load(), told.log), told.port)


if __name__ == "__main__":
    main()
