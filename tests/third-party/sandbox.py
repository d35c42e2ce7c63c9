"""The sandbox as a running program: its services' addresses, and commands to it."""

import json
import os
import subprocess

_process = subprocess.Popen(
    [os.environ["SANDBOX"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
)


def _answer():
    line = _process.stdout.readline()
    if not line:
        raise RuntimeError("the sandbox has ended")
    return json.loads(line)


_services = {service["service"]: service for service in (_answer() for _ in range(5))}
TWILIO = _services["twilio"]
AIRTABLE = _services["airtable"]
S3 = _services["s3"]
GCS = _services["gcs"]
AZURE = _services["azure"]


def command(name, **arguments):
    """Sends one command and returns its answer."""
    _process.stdin.write(json.dumps({name: arguments}) + "\n")
    _process.stdin.flush()
    return _answer()


def unexpected_requests():
    """What the clients sent that the real services would not have expected; asking forgets it."""
    return command("unexpected_requests")["unexpected"]


def stop():
    """Ends it; it exits by itself when its input closes."""
    _process.stdin.close()
    return _process.wait(timeout=10)
