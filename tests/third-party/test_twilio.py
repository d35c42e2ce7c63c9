"""The official Twilio client, and audio tools, against the sandbox."""

import datetime
import hashlib
import http.server
import io
import threading
import unittest
import urllib.parse
import wave

import miniaudio
import mutagen.mp3
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

import sandbox

ACCOUNT, TOKEN, URL = (sandbox.TWILIO[key] for key in ("account", "token", "url"))


def client(token=TOKEN):
    made = Client(ACCOUNT, token)
    made.api.base_url = URL
    return made


def media(recording, extension, **query):
    address = f"{URL}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{recording}{extension}"
    return requests.get(address, params=query, auth=(ACCOUNT, TOKEN), timeout=10)


class Recordings(unittest.TestCase):
    def test_a_list_is_paged_and_filtered_by_date(self):
        made = [
            sandbox.command("add_recording", seconds=1, days_ago=days)["recording"]
            for days in (400, 399, 398, 397, 396)
        ]
        day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=398)
        recordings = client().recordings
        before = [one.sid for one in recordings.list(date_created_before=day, page_size=2)]
        self.assertEqual(before, list(reversed(made[:3])))
        on = [one.sid for one in recordings.list(date_created=day)]
        self.assertEqual(on, [made[2]])
        after = [one.sid for one in recordings.list(date_created_after=day, page_size=1, limit=1000)]
        self.assertEqual(after[-3:], [made[4], made[3], made[2]])

    def test_a_recording_is_fetched_downloaded_and_deleted(self):
        added = sandbox.command("add_recording", seconds=3, channels=2)
        sid = added["recording"]
        fetched = client().recordings(sid).fetch()
        self.assertEqual((fetched.duration, fetched.channels, fetched.status), ("3", 2, "completed"))
        self.assertEqual(fetched.date_created.date(), datetime.datetime.now(datetime.timezone.utc).date())
        downloaded = media(sid, ".wav")
        self.assertEqual(downloaded.headers["Content-Type"], "audio/x-wav")
        self.assertEqual(hashlib.sha256(downloaded.content).hexdigest(), added["sha256"])
        self.assertTrue(client().recordings(sid).delete())
        with self.assertRaises(TwilioRestException) as refused:
            client().recordings(sid).fetch()
        self.assertEqual((refused.exception.status, refused.exception.code), (404, 20404))
        deleted = client().recordings(sid).fetch(include_soft_deleted=True)
        self.assertEqual(deleted.status, "deleted")
        self.assertEqual(media(sid, "").status_code, 404)

    def test_wrong_credentials_are_refused_in_the_real_words(self):
        with self.assertRaises(TwilioRestException) as refused:
            client("wrong").recordings("RE" + "0" * 32).fetch()
        self.assertEqual((refused.exception.status, refused.exception.code), (401, 20003))
        self.assertEqual(len(sandbox.unexpected_requests()), 1)


class Inventory(unittest.TestCase):
    def test_the_account_its_numbers_and_applications_are_read(self):
        self.assertEqual(client().api.v2010.accounts(ACCOUNT).fetch().status, "active")
        added = [
            sandbox.command("add_number", phone_number=f"+1500555{n:04}", voice_url="https://calls.example.com/voice")
            for n in range(3)
        ]
        numbers = client().incoming_phone_numbers.list(page_size=2)
        self.assertEqual([one.sid for one in numbers], [one["number"] for one in reversed(added)])
        self.assertEqual((numbers[0].phone_number, numbers[0].voice_url), ("+15005550002", "https://calls.example.com/voice"))
        self.assertEqual((numbers[0].trunk_sid, numbers[0].capabilities["voice"]), (None, True))
        found = client().incoming_phone_numbers.list(phone_number="+15005550001")
        self.assertEqual([one.sid for one in found], [added[1]["number"]])
        made = sandbox.command("add_application", friendly_name="App", voice_url="https://calls.example.com/app")
        applications = client().applications.list(friendly_name="App")
        self.assertEqual([(one.sid, one.voice_url) for one in applications], [(made["application"], "https://calls.example.com/app")])


class Audio(unittest.TestCase):
    def test_wav_is_what_its_header_says(self):
        for channels in (1, 2):
            sid = sandbox.command("add_recording", seconds=12, channels=channels)["recording"]
            with wave.open(io.BytesIO(media(sid, "").content)) as audio:
                self.assertEqual(
                    (audio.getnchannels(), audio.getframerate(), audio.getsampwidth(), audio.getnframes()),
                    (channels, 8000, 2, 12 * 8000),
                )

    def test_mp3_decodes_to_its_length_and_both_voices(self):
        for channels in (1, 2):
            sid = sandbox.command("add_recording", seconds=20, channels=channels)["recording"]
            content = media(sid, ".mp3").content
            info = mutagen.mp3.MP3(io.BytesIO(content)).info
            self.assertEqual((info.sample_rate, info.channels, info.bitrate), (8000, channels, 32000))
            self.assertAlmostEqual(info.length, 20, delta=0.1)
            self.assertFalse(info.sketchy)
            decoded = miniaudio.mp3_read_s16(content)
            self.assertEqual((decoded.sample_rate, decoded.nchannels), (8000, channels))
            self.assertAlmostEqual(decoded.duration, 20, delta=0.1)
            for channel in range(channels):
                samples = decoded.samples[channel::channels]
                loud, quiet = self.loudness_of_blocks(samples)
                self.assertGreater(loud, 1000, "a voice")
                self.assertLess(quiet, 10, "a pause")
                self.assertLess(max(map(abs, samples)), 32767, "not clipped")

    @staticmethod
    def loudness_of_blocks(samples):
        blocks = [samples[at : at + 800] for at in range(0, len(samples) - 800, 800)]
        peaks = [max(map(abs, block)) for block in blocks]
        return max(peaks), min(peaks)

    def test_two_channels_of_a_mono_recording_are_refused(self):
        sid = sandbox.command("add_recording", seconds=1, channels=1)["recording"]
        refused = media(sid, ".wav", RequestedChannels=2)
        self.assertEqual(refused.status_code, 400)
        self.assertIn("<Code>16113</Code>", refused.text)


def listener(test):
    """A server that takes every callback; its address, and what came."""
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            params = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
            received.append((self.path, params, self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return f"http://127.0.0.1:{server.server_port}", received


class LiveRecordings(unittest.TestCase):
    """Recordings of running calls, started and stopped by the official client."""

    def refusal(self, send):
        with self.assertRaises(TwilioRestException) as refused:
            send()
        return refused.exception.status, refused.exception.code

    def test_a_recording_is_started_announced_paused_and_stopped(self):
        base, received = listener(self)
        call = sandbox.command("begin_call")["call"]
        made = client().calls(call).recordings.create(
            recording_status_callback=f"{base}/api/twilio/recording?job=J&started=rest#rc=5&rp=all",
            recording_status_callback_event=["in-progress", "completed", "absent"],
            recording_channels="dual",
            recording_track="both",
            trim="do-not-trim",
        )
        self.assertEqual((made.call_sid, made.status, made.channels), (call, "in-progress", 2))
        self.assertEqual((made.source, made.track), ("StartCallRecordingAPI", "both"))
        self.assertEqual([one.sid for one in client().calls(call).recordings.list()], [made.sid])
        current = client().calls(call).recordings("Twilio.CURRENT")
        self.assertEqual(current.update(status="paused", pause_behavior="skip").status, "paused")
        self.assertEqual(current.update(status="in-progress").status, "in-progress")
        running = client().calls(call).recordings(made.sid)
        self.assertEqual(running.update(status="stopped").status, "stopped")
        self.assertEqual(self.refusal(lambda: running.update(status="stopped")), (400, 16114))
        self.assertEqual(self.refusal(lambda: current.update(status="stopped")), (404, 20404))
        sandbox.command("deliver")
        self.assertEqual([params["RecordingStatus"] for _, params, _ in received], ["in-progress", "completed"])
        validator = RequestValidator(TOKEN)
        for path, params, headers in received:
            self.assertTrue(validator.validate(base + path, params, headers["X-Twilio-Signature"]))
            self.assertEqual((params["CallSid"], params["RecordingSid"]), (call, made.sid))
        self.assertEqual(client().recordings(made.sid).fetch().status, "completed")

    def test_one_side_is_mono_and_the_calls_end_is_the_recordings(self):
        call = sandbox.command("begin_call")["call"]
        made = client().calls(call).recordings.create(recording_track="inbound", recording_channels="mono")
        self.assertEqual((made.track, made.channels), ("inbound", 1))
        sandbox.command("end_call", call=call)
        self.assertEqual(client().recordings(made.sid).fetch().status, "completed")
        self.assertEqual(self.refusal(lambda: client().calls(call).recordings.create()), (400, 21220))

    def test_what_can_not_be_recorded_is_refused_in_the_real_words(self):
        ringing = sandbox.command("begin_call", status="ringing")["call"]
        self.assertEqual(self.refusal(lambda: client().calls(ringing).recordings.create()), (400, 21220))
        unknown = "CA" + 32 * "0"
        self.assertEqual(self.refusal(lambda: client().calls(unknown).recordings.create()), (404, 20404))
        self.assertEqual(sandbox.unexpected_requests(), [])
        running = sandbox.command("begin_call")["call"]
        for wrong in ({"trim": "some"}, {"recording_channels": "three"}, {"recording_status_callback": "/relative"}):
            self.assertEqual(self.refusal(lambda: client().calls(running).recordings.create(**wrong)), (400, 20001))
        self.assertEqual(len(sandbox.unexpected_requests()), 3)


class Callbacks(unittest.TestCase):
    def test_the_official_validator_accepts_every_callback(self):
        base, received = listener(self)
        url = f"{base}/api/twilio/recording?job=JOB%2F4%2756&source=IVR#rc=5&rp=all"
        placed = sandbox.command("place_call", callback_url=url, seconds=4)

        self.assertEqual([params["RecordingStatus"] for _, params, _ in received], ["in-progress", "completed"])
        validator = RequestValidator(TOKEN)
        for path, params, headers in received:
            signature = headers["X-Twilio-Signature"]
            self.assertTrue(validator.validate(base + path, params, signature))
            self.assertFalse(validator.validate(base + path, params | {"CallSid": "CA0"}, signature))
            self.assertIn("I-Twilio-Idempotency-Token", headers)
        completed = received[-1][1]
        self.assertEqual((completed["RecordingSid"], completed["RecordingDuration"]), (placed["recording"], "4"))
        call = client().calls(placed["call"]).fetch()
        self.assertEqual((call.status, call.duration), ("completed", "4"))
        listed = client().calls(placed["call"]).recordings.list()
        self.assertEqual([one.sid for one in listed], [placed["recording"]])
