"""A server of S3 on this machine, for tests: moto's, which checks who signs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import boto3
import httpx
from moto.server import ThreadedMotoServer

BUCKET: Final = "pictures"
REGION: Final = "eu-central-1"
MAY_PUT: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


class S3Server:
    """A server with a bucket, and the keys of somebody who may use it."""

    def __init__(self, url: str, access_key: str, secret_key: str) -> None:
        self.url, self.access_key, self.secret_key = url, access_key, secret_key


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run one that refuses requests whose signature is not that of its user."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        anybody = {"endpoint_url": url, "region_name": REGION, "aws_access_key_id": "a", "aws_secret_access_key": "b"}
        iam = boto3.client("iam", **anybody)
        iam.create_user(UserName="isthmus")
        key = iam.create_access_key(UserName="isthmus")["AccessKey"]
        iam.put_user_policy(UserName="isthmus", PolicyName="put", PolicyDocument=json.dumps(MAY_PUT))
        place = {"LocationConstraint": REGION}
        boto3.client("s3", **anybody).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        httpx.post(f"{url}/moto-api/reset-auth", content="0").raise_for_status()  # from here on, signatures count
        yield S3Server(url, key["AccessKeyId"], key["SecretAccessKey"])
    finally:
        server.stop()
