"""Proves the sandbox, and callspool, by clients and servers nobody here wrote: `run.py path/to/sandbox path/to/callspool
path/to/azurite-blob`.

The sandbox is `cargo build -p callspool-sandbox --example sandbox`; the clients are in requirements.txt. The last line
says how many tests passed and failed; the exit status is 0 only if none failed.
"""

import os
import pathlib
import sys
import unittest

if len(sys.argv) != 4:
    sys.exit("usage: run.py path/to/sandbox path/to/callspool path/to/azurite-blob")
os.environ["SANDBOX"], os.environ["CALLSPOOL"], os.environ["AZURITE"] = (
    str(pathlib.Path(program).absolute()) for program in sys.argv[1:]
)

# Nothing of the machine's own set-up may reach a client.
for name in [name for name in os.environ if name.upper().startswith(("AWS_", "AZURE_", "GOOGLE_", "TWILIO_", "AIRTABLE_"))]:
    del os.environ[name]
os.environ["NO_PROXY"] = "127.0.0.1"

import sandbox  # noqa: E402  (it starts the program named above)


class Leftovers(unittest.TestCase):
    def test_no_client_sent_what_the_real_service_would_not_expect(self):
        self.assertEqual(sandbox.unexpected_requests(), [])


loader = unittest.TestLoader()
suite = loader.discover(str(pathlib.Path(__file__).parent))
suite.addTests(loader.loadTestsFromTestCase(Leftovers))
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
if sandbox.stop() != 0:
    print("the sandbox ended badly")
    sys.exit(1)
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(0 if failed == 0 and result.testsRun > 1 else 1)
