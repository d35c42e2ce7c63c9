"""What callspool archives at servers nobody here wrote, read by their makers' own clients; and those clients against the
stand-ins."""

import datetime
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import requests
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from google.api_core.exceptions import PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.oauth2 import service_account

import sandbox
from callspool import Callspool

# The account that every Azurite has, and the key that is no secret.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, seconds=60):
    """Waits for something to be there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come about")


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# The official client is newer than what Azurite knows by name; checksums it takes only where it is told to be loose.
QUIETLY = ["--silent", "--skipApiVersionCheck", "--loose"]


class Archived(unittest.TestCase):
    def server(self, command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.terminate)

    def archive(self, settings, objects, between="%2F"):
        """Brings a short and a long recording over; `objects` tells the bytes and the metadata of a key."""
        program = Callspool(
            free_port(),
            **(settings
            | {
                "TWILIO_ACCOUNT_SID": sandbox.TWILIO["account"],
                "TWILIO_AUTH_TOKEN": sandbox.TWILIO["token"],
                "TWILIO_API_URL": sandbox.TWILIO["url"],
                "CALLSPOOL_LOG_LEVEL": "warn",
            }),
        )
        self.addCleanup(program.stop)
        for seconds in (3, 300):
            callback = f"{program.base}/api/twilio/recording?job=JOB{between}{seconds}"
            placed = sandbox.command("place_call", callback_url=callback, seconds=seconds)
            key = f"calls/{placed['call']}-JOB{between}{seconds}.wav"
            content, metadata = until(lambda: objects(key))
            self.assertEqual(hashlib.sha256(content).hexdigest(), placed["sha256"])
            metadata = {name.replace("_", "-"): text for name, text in metadata.items()}
            self.assertEqual(metadata["recording-sid"], placed["recording"])
            self.assertEqual(metadata["job-id"], f"JOB{between}{seconds}")
            self.assertEqual("sha256" in metadata, seconds == 3)

    def doctor(self, settings):
        """The codes of what doctor finds of the archive."""
        with tempfile.TemporaryDirectory() as folder:
            command = [os.environ["CALLSPOOL"], "doctor", "--json"]
            done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, timeout=120)
        findings = json.loads(done.stdout)["findings"]
        return sorted(finding["code"] for finding in findings if finding["about"].startswith("bucket "))

    def test_azurite(self):
        port = free_port()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.server([os.environ["AZURITE"], "--blobPort", str(port), "--location", folder.name, *QUIETLY])
        until(lambda: listening(port))
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        client = BlobServiceClient(endpoint, credential=KEY)
        container = client.create_container("recordings")

        def objects(key):
            blob = container.get_blob_client(key)
            if not blob.exists():
                return None
            return blob.download_blob().readall(), blob.get_blob_properties().metadata

        settings = {
            "ARCHIVE_URL": "az://recordings/calls",
            "RECORDING_KEY": "{call_sid}-{job_id}.{ext}",
            "AZURE_STORAGE_ACCOUNT": ACCOUNT,
            "AZURE_STORAGE_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": endpoint,
        }
        self.archive(settings, objects)
        others = {blob.name for blob in container.list_blobs()}
        self.assertEqual(self.doctor(settings), ["ok"])
        self.assertEqual({blob.name for blob in container.list_blobs()}, others)
        self.assertEqual(self.doctor(settings | {"ARCHIVE_URL": "az://nowhere"}), ["archive_rejected"])
        wrong = KEY.replace("E", "F", 1)
        self.assertIn("archive_unauthorized", self.doctor(settings | {"AZURE_STORAGE_KEY": wrong}))

        # A shared access signature with the least rights that archiving needs, and one that may not write.
        def signed(**rights):
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
            permission = ContainerSasPermissions(**rights)
            token = generate_container_sas(ACCOUNT, "recordings", account_key=KEY, permission=permission, expiry=end)
            own = {name: text for name, text in settings.items() if name != "AZURE_STORAGE_KEY"}
            return own | {"AZURE_STORAGE_SAS_TOKEN": token}

        least = signed(read=True, create=True, write=True)
        for _ in range(2):
            self.assertEqual(self.doctor(least), ["archive_no_delete", "archive_no_list", "ok"])
        self.assertEqual(self.doctor(settings), ["ok"])
        self.assertIn("archive_unauthorized", self.doctor(signed(read=True, list=True)))
        self.archive(least, objects)

    def test_an_emulator_of_google_cloud_storage(self):
        port = free_port()
        command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port)]
        self.server([*command, "--in-memory", "--default-bucket", "recordings"])
        until(lambda: listening(port))
        client = storage.Client(
            project="p", credentials=AnonymousCredentials(), client_options={"api_endpoint": f"http://127.0.0.1:{port}"}
        )

        def objects(key):
            blob = client.bucket("recordings").get_blob(key)
            return blob and (blob.download_as_bytes(), blob.metadata)

        settings = {
            "ARCHIVE_URL": "gs://recordings/calls",
            "RECORDING_KEY": "{call_sid}-{job_id}.{ext}",
            "GCS_ENDPOINT": f"http://127.0.0.1:{port}",
        }
        # The emulator writes a `%` of a name into its links as it stands.
        self.archive(settings, objects, between="_")
        others = {blob.name for blob in client.list_blobs("recordings")}
        self.assertEqual(self.doctor(settings), ["ok"])
        self.assertEqual({blob.name for blob in client.list_blobs("recordings")}, others)
        self.assertEqual(self.doctor(settings | {"ARCHIVE_URL": "gs://nowhere"}), ["archive_rejected"])


class StandIns(unittest.TestCase):
    def test_google(self):
        account = json.loads(sandbox.GCS["service_account"])
        credentials = service_account.Credentials.from_service_account_info(account).with_always_use_jwt_access(True)
        client = storage.Client(
            project="p", credentials=credentials, client_options={"api_endpoint": sandbox.GCS["url"]}
        )
        bucket = client.bucket(sandbox.GCS["bucket"])
        for key, content in (("small é+%20.wav", b"RIFF" * 10), ("large.wav", os.urandom(3_000_000))):
            blob = bucket.blob(key, chunk_size=None if len(content) < 1000 else 1 << 20)
            blob.metadata = {"recording-sid": "RE1"}
            blob.upload_from_string(content, content_type="audio/wav", if_generation_match=0)
            with self.assertRaises(PreconditionFailed):
                bucket.blob(key).upload_from_string(b"other", if_generation_match=0)
            found = bucket.get_blob(key)
            self.assertEqual((found.size, found.metadata), (len(content), {"recording-sid": "RE1"}))
            self.assertEqual(found.download_as_bytes(), content)
        url = bucket.blob("large.wav").generate_signed_url(
            datetime.timedelta(minutes=1), version="v4", api_access_endpoint=sandbox.GCS["url"]
        )
        self.assertEqual(requests.get(url, timeout=10).content, content)
        self.assertEqual(requests.get(url.replace("large", "other"), timeout=10).status_code, 401)
        self.assertEqual(len(sandbox.unexpected_requests()), 1)

    def test_azure(self):
        client = BlobServiceClient(sandbox.AZURE["url"], credential=sandbox.AZURE["key"])
        container = client.get_container_client(sandbox.AZURE["container"])
        for key, content in (("small é+%20.wav", b"RIFF" * 10), ("large.wav", os.urandom(3_000_000))):
            blob = container.get_blob_client(key)
            if len(content) < 1000:
                blob.upload_blob(content, metadata={"recording_sid": "RE1"})
            else:
                blob.stage_block("YQ==", content[:2_000_000])
                blob.stage_block("Yg==", content[2_000_000:])
                blob.commit_block_list(["YQ==", "Yg=="], metadata={"recording_sid": "RE1"})
            with self.assertRaises(ResourceExistsError):
                blob.upload_blob(b"other", overwrite=False)
            self.assertEqual(blob.download_blob().readall(), content)
            self.assertEqual(blob.get_blob_properties().metadata, {"recording_sid": "RE1"})


if __name__ == "__main__":
    unittest.main()
