"""callspool itself as a running program, on a database and a folder of its own."""

import os
import pathlib
import subprocess
import tempfile
import time

import requests

TOKEN = "the-auth-token"
ACCOUNT = "AC" + 32 * "1"
KEYS = {"webhooks_sharedkey_one": "the first shared secret", "webhooks_sharedkey_two": "the second"}
FILE = """
[[voice]]
number = "+14155550199"
then = "stream:wss://media.example/in?a=1&b=2"
[[voice]]
then = "say:Tom & Jerry's <show>"
"""


class Callspool:
    """Started at once; `stop` ends it."""

    def __init__(self, port, settings=None):
        self.base = f"http://127.0.0.1:{port}"
        self._folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self._folder.name)
        (folder / "callspool.toml").write_text(FILE)
        environment = {
            "CALLSPOOL_LISTEN": f"127.0.0.1:{port}",
            "CALLSPOOL_LOG_LEVEL": "off",
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            # Nobody listens there: what is announced stays announced.
            "TWILIO_API_URL": "http://127.0.0.1:9",
            "TWILIO_WEBHOOK_KEYS": ",".join(f"{name}={secret}" for name, secret in KEYS.items()),
        }
        environment |= settings or {}
        self._process = subprocess.Popen([os.environ["CALLSPOOL"], "serve"], cwd=folder, env=environment)
        for _ in range(500):
            try:
                requests.get(self.base + "/healthz", timeout=1)
                return
            except requests.ConnectionError:
                time.sleep(0.02)
        raise RuntimeError("callspool does not answer")

    def stop(self):
        self._process.terminate()
        self._process.wait(timeout=30)
        self._folder.cleanup()
