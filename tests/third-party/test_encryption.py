"""Twilio's recording encryption as its documentation tells how to open it, by OpenSSL behind Python's cryptography:
https://www.twilio.com/docs/voice/tutorials/voice-recording-encryption#per-recording-decryption-steps-customer"""

import base64
import hashlib
import io
import json
import pathlib
import tempfile
import unittest
import wave

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import sandbox
from callspool import Callspool
from test_callspool import free_port

SID = "CR" + 32 * "a"
ACCOUNT, TOKEN = sandbox.TWILIO["account"], sandbox.TWILIO["token"]


def opened(key, details, ciphertext):
    """The steps of the documentation; the tag is checked, too."""
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    cek = key.decrypt(base64.b64decode(details["encrypted_cek"]), oaep)
    return AESGCM(cek).decrypt(base64.b64decode(details["iv"]), ciphertext, None)


class Encrypted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = cls.key.public_key().public_bytes(serialization.Encoding.DER, form)
        cls.public = {"public_key_sid": SID, "public_key": base64.b64encode(public).decode()}
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.pem = pathlib.Path(folder.name) / "private.pem"
        form, protection = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        cls.pem.write_bytes(cls.key.private_bytes(serialization.Encoding.PEM, form, protection))

    def archived(self, **settings):
        """Has callspool archive an encrypted call; what it says of the recording, and its only file."""
        account = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_API_URL": sandbox.TWILIO["url"]}
        callspool = Callspool(free_port(), **account, **settings)
        self.addCleanup(callspool.stop)
        url = callspool.base + "/api/twilio/recording"
        placed = sandbox.command("place_call", callback_url=url, seconds=20, **self.public)
        shown = callspool.when_done(placed["recording"])
        files = [path for path in callspool.archive.rglob("*.wav*") if path.is_file()]
        self.assertEqual(len(files), 1)
        return placed, shown, files[0].read_bytes()

    def test_what_the_sandbox_serves_opens_as_documented(self):
        placed = sandbox.command("place_call", callback_url="http://127.0.0.1:9/", seconds=3, **self.public)
        base = f"{sandbox.TWILIO['url']}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{placed['recording']}"
        details = requests.get(base + ".json", auth=(ACCOUNT, TOKEN), timeout=10).json()["encryption_details"]
        self.assertEqual(details["public_key_sid"], SID)
        media = requests.get(base + ".wav", auth=(ACCOUNT, TOKEN), timeout=10).content
        wav = opened(self.key, details, media)
        self.assertEqual(hashlib.sha256(wav).hexdigest(), placed["sha256"])
        refused = requests.get(base + ".mp3", auth=(ACCOUNT, TOKEN), timeout=10)
        self.assertEqual(refused.status_code, 400)
        self.assertIn("<Code>16109</Code>", refused.text)

    def test_what_callspool_sealed_opens_with_what_it_shows(self):
        placed, shown, file = self.archived()
        self.assertEqual(shown["status"], "sealed")
        wav = opened(self.key, shown["encryption"], file)
        self.assertEqual(hashlib.sha256(wav).hexdigest(), placed["sha256"])
        with wave.open(io.BytesIO(wav)) as audio:
            self.assertEqual(audio.getnframes() / audio.getframerate(), 20)

    def test_what_callspool_opens_with_a_foreign_key_is_what_was_encrypted(self):
        placed, shown, file = self.archived(TWILIO_RECORDING_KEYS=f"{SID}={self.pem}")
        self.assertEqual(shown["status"], "archived", json.dumps(shown, indent=1))
        self.assertEqual(hashlib.sha256(file).hexdigest(), placed["sha256"])
