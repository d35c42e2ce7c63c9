"""What callspool takes and answers, by Twilio's own library: its signatures, and its TwiML."""

import json
import socket
import unittest
import xml.etree.ElementTree as ElementTree

import requests
from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator
from twilio.twiml.voice_response import Connect, Start, VoiceResponse

from callspool import ACCOUNT, KEYS, TOKEN, Callspool

CALL = "CA" + 32 * "2"
RECORDING = "RE" + 32 * "3"
SETTINGS = "X-Twilio-Webhooks-Signature-Settings"
ANNOUNCED = {"AccountSid": ACCOUNT, "CallSid": CALL, "RecordingSid": RECORDING, "RecordingStatus": "in-progress"}
CALLING = {"AccountSid": ACCOUNT, "CallSid": CALL, "CallStatus": "ringing", "To": "+14155550199", "From": "+1\u00e9 '&"}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def shape(xml):
    """A document as nested lists, in which the order of attributes does not matter."""

    def of(element):
        return [element.tag, dict(element.attrib), (element.text or "").strip(), [of(child) for child in element]]

    return of(ElementTree.fromstring(xml))


class Requests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.callspool = Callspool(free_port())
        cls.addClassCleanup(cls.callspool.stop)

    def post(self, path, params, secret=TOKEN, settings=None, algorithm=None):
        url = self.callspool.base + path
        headers = {"X-Twilio-Signature": RequestValidator(secret).compute_signature(url, params, algorithm)}
        if settings is not None:
            headers[SETTINGS] = settings
        return requests.post(url, data=params, headers=headers, timeout=15)

    def test_a_form_signed_with_the_token(self):
        params = ANNOUNCED | {"Extra": "ñ & = + %", "Empty": ""}
        self.assertEqual(self.post("/api/twilio/recording?job=JOB%2F1", params).status_code, 200)
        self.assertEqual(self.post("/api/twilio/recording", params, secret="guess").status_code, 403)

    def test_shared_keys_with_both_algorithms(self):
        for name, secret in KEYS.items():
            for algorithm in (HMAC_SHA1, HMAC_SHA256):
                settings = f"key={name},algorithm={algorithm}"
                answer = self.post("/recording/status", ANNOUNCED, secret, settings, algorithm)
                self.assertEqual(answer.status_code, 200, settings)
                answer = self.post("/recording/status", ANNOUNCED, TOKEN, settings, algorithm)
                self.assertEqual(answer.status_code, 403, settings)

    def test_a_json_body_by_its_hash(self):
        body = json.dumps(ANNOUNCED | {"Number": 7})
        validator = RequestValidator(TOKEN)
        url = f"{self.callspool.base}/api/twilio/recording?bodySHA256={validator.compute_hash(body)}"
        headers = {"X-Twilio-Signature": validator.compute_signature(url, {}), "Content-Type": "application/json"}
        self.assertEqual(requests.post(url, data=body, headers=headers, timeout=15).status_code, 200)
        self.assertEqual(requests.post(url, data=body + " ", headers=headers, timeout=15).status_code, 403)

    def test_a_callback_by_get(self):
        url = requests.Request("GET", self.callspool.base + "/api/twilio/status", params=CALLING).prepare().url
        headers = {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(url, {})}
        self.assertEqual(requests.get(url, headers=headers, timeout=15).status_code, 200)
        self.assertEqual(requests.get(url + "&x=1", headers=headers, timeout=15).status_code, 403)

    def test_twiml_is_what_the_library_would_have_written(self):
        callback = self.callspool.base + "/api/twilio/recording?job=J%27%26&source=Desk&started=twiml#rc=5&rp=all"

        def expected(then):
            start = Start()
            start.recording(
                recording_status_callback=callback,
                recording_status_callback_method="POST",
                recording_status_callback_event="in-progress completed absent",
                channels="dual",
                track="both",
                trim="do-not-trim",
            )
            response = VoiceResponse()
            response.append(start)
            then(response)
            return shape(str(response))

        def stream(response):
            connect = Connect()
            connect.stream(url="wss://media.example/in?a=1&b=2")
            response.append(connect)

        answer = self.post("/api/twilio/voice?job=J%27%26&source=Desk", CALLING)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.headers["Content-Type"], "text/xml; charset=utf-8")
        self.assertEqual(shape(answer.text), expected(stream))
        answer = self.post("/twiml?job=J%27%26&source=Desk", CALLING | {"To": "+15550000"})
        self.assertEqual(shape(answer.text), expected(lambda response: response.say("Tom & Jerry's <show>")))
