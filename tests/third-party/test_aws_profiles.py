"""Profiles of AWS whose credentials come from a service: an assumed role, and SSO, each played by a small server."""

import hashlib
import http.server
import json
import pathlib
import socket
import tempfile
import threading
import time
import unittest

import boto3
from botocore.config import Config

import sandbox
from callspool import Callspool

START = "https://calls.awsapps.com/start"
SSO = """
[profile calls]
sso_account_id = 123456789012
sso_role_name = archive
sso_region = us-east-1
sso_start_url = https://calls.awsapps.com/start
"""
ROLE = """
[profile calls]
role_arn = arn:aws:iam::123456789012:role/archive
source_profile = base
[profile base]
aws_access_key_id = base
aws_secret_access_key = base-secret
"""


class Profiles(unittest.TestCase):
    def server(self, answer):
        """Answers every request by `answer(path, headers, body)`; returns its address."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def respond(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                said = answer(self.path, self.headers, body)
                self.send_response(200 if said else 403)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said.encode())

            do_GET = do_POST = respond

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def archives(self, home, settings):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        program = Callspool(
            port,
            **(settings
            | {
                "HOME": home,
                "AWS_PROFILE": "calls",
                "ARCHIVE_URL": f"s3://{sandbox.S3['bucket']}/profiles",
                "S3_ENDPOINT": sandbox.S3["url"],
                "RECORDING_KEY": "{recording_sid}.{ext}",
                "TWILIO_ACCOUNT_SID": sandbox.TWILIO["account"],
                "TWILIO_AUTH_TOKEN": sandbox.TWILIO["token"],
                "TWILIO_API_URL": sandbox.TWILIO["url"],
                "CALLSPOOL_LOG_LEVEL": "warn",
            }),
        )
        self.addCleanup(program.stop)
        callback = f"{program.base}/api/twilio/recording?job=J"
        placed = sandbox.command("place_call", callback_url=callback, seconds=2)
        s3 = boto3.client(
            "s3",
            endpoint_url=sandbox.S3["url"],
            aws_access_key_id=sandbox.S3["access_key"],
            aws_secret_access_key=sandbox.S3["secret_key"],
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )
        for _ in range(300):
            listed = s3.list_objects_v2(Bucket=sandbox.S3["bucket"], Prefix=f"profiles/{placed['recording']}")
            if listed.get("Contents"):
                return
            time.sleep(0.1)
        self.fail("nothing was archived")

    def home(self, config):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        home = pathlib.Path(folder.name)
        (home / ".aws/sso/cache").mkdir(parents=True)
        (home / ".aws/config").write_text(config)
        return home

    def test_sso_with_the_token_that_a_login_left(self):
        def answer(path, headers, _body):
            if "role_name=archive" not in path or headers["x-amz-sso_bearer_token"] != "the-token":
                return ""
            keys = {"accessKeyId": sandbox.S3["access_key"], "secretAccessKey": sandbox.S3["secret_key"]}
            return json.dumps({"roleCredentials": keys | {"sessionToken": "session", "expiration": 4070908800000}})

        home = self.home(SSO)
        token = {"startUrl": START, "region": "us-east-1", "accessToken": "the-token", "expiresAt": "2099-01-01T00:00:00Z"}
        name = hashlib.sha1(START.encode()).hexdigest()
        (home / f".aws/sso/cache/{name}.json").write_text(json.dumps(token))
        self.archives(str(home), {"AWS_ENDPOINT_URL_SSO": self.server(answer)})

    def test_a_role_assumed_with_the_keys_of_another_profile(self):
        def answer(_path, headers, body):
            if "Action=AssumeRole" not in body or "Credential=base/" not in headers["Authorization"]:
                return ""
            return (
                '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
                "<AssumedRoleUser><AssumedRoleId>A:calls</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/a/c</Arn>"
                f"</AssumedRoleUser><Credentials><AccessKeyId>{sandbox.S3['access_key']}</AccessKeyId>"
                f"<SecretAccessKey>{sandbox.S3['secret_key']}</SecretAccessKey><SessionToken>session</SessionToken>"
                "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
            )

        self.archives(str(self.home(ROLE)), {"AWS_ENDPOINT_URL_STS": self.server(answer)})


if __name__ == "__main__":
    unittest.main()
