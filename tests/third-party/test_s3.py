"""boto3 against the sandbox."""

import unittest

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

import sandbox

BUCKET = sandbox.S3["bucket"]
PART = 5 * 1024 * 1024


def client(secret=sandbox.S3["secret_key"]):
    return boto3.client(
        "s3",
        endpoint_url=sandbox.S3["url"],
        aws_access_key_id=sandbox.S3["access_key"],
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4", retries={"total_max_attempts": 1}),
    )


class Objects(unittest.TestCase):
    def refused(self, call, **arguments):
        with self.assertRaises(ClientError) as refused:
            call(**arguments)
        return refused.exception.response["ResponseMetadata"]["HTTPStatusCode"], refused.exception.response["Error"]["Code"]

    def test_an_object_is_put_with_metadata_and_read_back(self):
        s3 = client()
        key = "2024/03/15/CA1 é+.wav"
        s3.put_object(
            Bucket=BUCKET, Key=key, Body=b"RIFF audio", ContentType="audio/wav", Metadata={"sha256": "abc"}
        )
        head = s3.head_object(Bucket=BUCKET, Key=key)
        self.assertEqual((head["ContentLength"], head["ContentType"]), (10, "audio/wav"))
        self.assertEqual(head["Metadata"], {"sha256": "abc"})
        self.assertNotIn("ChecksumCRC64NVME", head)
        asked = s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        self.assertEqual(asked["ChecksumType"], "FULL_OBJECT")
        self.assertEqual(len(asked["ChecksumCRC64NVME"]), 12)
        self.assertEqual(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read(), b"RIFF audio")
        part = s3.get_object(Bucket=BUCKET, Key=key, Range="bytes=0-3")
        self.assertEqual((part["Body"].read(), part["ContentRange"]), (b"RIFF", "bytes 0-3/10"))
        s3.delete_object(Bucket=BUCKET, Key=key)
        self.assertEqual(self.refused(s3.head_object, Bucket=BUCKET, Key=key)[0], 404)

    def test_lists_are_sorted_and_paged(self):
        s3 = client()
        for n in range(7):
            s3.put_object(Bucket=BUCKET, Key=f"list/{n}", Body=b"x")
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix="list/", StartAfter="list/1", PaginationConfig={"PageSize": 2}
        )
        keys = [[found["Key"] for found in page["Contents"]] for page in pages]
        self.assertEqual(keys, [["list/2", "list/3"], ["list/4", "list/5"], ["list/6"]])

    def test_a_conditional_put_never_overwrites(self):
        s3 = client()
        put = {"Bucket": BUCKET, "Key": "once", "IfNoneMatch": "*"}
        s3.put_object(**put, Body=b"first")
        self.assertEqual(self.refused(s3.put_object, **put, Body=b"second"), (412, "PreconditionFailed"))
        self.assertEqual(s3.get_object(Bucket=BUCKET, Key="once")["Body"].read(), b"first")

    def test_a_wrong_checksum_is_refused(self):
        s3 = client()
        wrong = {"Bucket": BUCKET, "Key": "wrong", "Body": b"audio", "ChecksumSHA256": "A" * 43 + "="}
        self.assertEqual(self.refused(s3.put_object, **wrong), (400, "BadDigest"))
        self.assertEqual(self.refused(s3.head_object, Bucket=BUCKET, Key="wrong")[0], 404)
        self.assertEqual(len(sandbox.unexpected_requests()), 1)

    def test_a_multipart_upload_is_completed_or_aborted(self):
        s3 = client()
        upload = {"Bucket": BUCKET, "Key": "multipart"}
        upload["UploadId"] = s3.create_multipart_upload(**upload, Metadata={"call": "CA1"})["UploadId"]
        bodies = [b"a" * PART, b"b" * 100]
        parts = [
            {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=body)["ETag"]}
            for n, body in enumerate(bodies, 1)
        ]
        done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        self.assertTrue(done["ETag"].endswith('-2"'))
        self.assertEqual(len(done["ChecksumCRC64NVME"]), 12)
        read = s3.get_object(Bucket=BUCKET, Key="multipart")
        self.assertEqual((read["Body"].read(), read["Metadata"]), (b"".join(bodies), {"call": "CA1"}))

        aborted = {"Bucket": BUCKET, "Key": "aborted"}
        aborted["UploadId"] = s3.create_multipart_upload(**aborted)["UploadId"]
        s3.abort_multipart_upload(**aborted)
        gone = self.refused(s3.upload_part, **aborted, PartNumber=1, Body=b"x")
        self.assertEqual(gone, (404, "NoSuchUpload"))

    def test_a_presigned_url_works_with_ranges_and_only_as_signed(self):
        s3 = client()
        s3.put_object(Bucket=BUCKET, Key="signed.wav", Body=b"0123456789")
        disposition = 'inline; filename="call.wav"'
        get = {"Bucket": BUCKET, "Key": "signed.wav", "ResponseContentDisposition": disposition}
        url = s3.generate_presigned_url("get_object", Params=get, ExpiresIn=60)
        whole = requests.get(url, timeout=10)
        self.assertEqual((whole.status_code, whole.content), (200, b"0123456789"))
        self.assertEqual(whole.headers["Content-Disposition"], disposition)
        part = requests.get(url, headers={"Range": "bytes=2-4"}, timeout=10)
        self.assertEqual((part.status_code, part.content), (206, b"234"))
        self.assertEqual(part.headers["Content-Range"], "bytes 2-4/10")
        forged = requests.get(url.replace("signed.wav", "once"), timeout=10)
        self.assertEqual(forged.status_code, 403)
        self.assertEqual(len(sandbox.unexpected_requests()), 1)

    def test_wrong_credentials_are_refused(self):
        status, code = self.refused(client("wrong").put_object, Bucket=BUCKET, Key="x", Body=b"x")
        self.assertEqual((status, code), (403, "SignatureDoesNotMatch"))
        self.assertEqual(len(sandbox.unexpected_requests()), 1)
