"""`python -m card_processor --port 8200`: the card processor as a program. It ends at SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from .app import make_app


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print nothing."""


def start(host: str = "127.0.0.1", port: int = 0) -> BaseWSGIServer:
    """Return a server that listens; `serve_forever` answers requests. Port 0 takes a free one."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    return make_server(host, port, make_app(), threaded=True, request_handler=_QuietHandler)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="A pretended card processor.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    server = start(port=parser.parse_args().port)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    sys.stdout.write(json.dumps({"base_url": f"http://127.0.0.1:{server.port}"}) + "\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
