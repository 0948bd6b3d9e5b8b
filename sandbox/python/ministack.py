"""Starts MiniStack on a free loopback port, prints the port, and ends with the process that started it."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import threading


def end_with_parent():
    # The parent holds the other end of stdin: when it goes, however it goes, this reads end of file.
    # The functions that MiniStack runs are in the same process group and must not outlive it either.
    sys.stdin.buffer.read()
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=end_with_parent, daemon=True).start()

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(128)
port = listener.getsockname()[1]
os.environ["GATEWAY_PORT"] = str(port)  # read while MiniStack is imported

from hypercorn.asyncio import serve  # noqa: E402
from hypercorn.config import Config  # noqa: E402
from ministack.app import app  # noqa: E402

config = Config()
config.bind = [f"fd://{listener.detach()}"]
config.keep_alive_timeout = 75
config.loglevel = "WARNING"
logging.getLogger("hypercorn.access").setLevel(logging.WARNING)

print(port, flush=True)
asyncio.run(serve(app, config))
