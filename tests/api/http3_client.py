"""A client of HTTP/3, and a service for it."""

from __future__ import annotations

import asyncio
import datetime
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from jobbers import Jobbers
from jobbers.api.http3 import Certificate, check_certificate
from jobbers.api.server import serve

pytest.importorskip("hypercorn")
aioquic = pytest.importorskip("aioquic")

from aioquic.asyncio import QuicConnectionProtocol, connect  # noqa: E402
from aioquic.buffer import encode_uint_var  # noqa: E402
from aioquic.h3.connection import H3_ALPN, H3Connection  # noqa: E402
from aioquic.h3.events import DataReceived, HeadersReceived  # noqa: E402
from aioquic.quic.configuration import QuicConfiguration  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

Headers = list[tuple[bytes, bytes]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One for localhost that signs itself."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certfile, keyfile = folder / "cert.pem", folder / "key.pem"
    certfile.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    keyfile.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return check_certificate(certfile, keyfile)


class Caller(QuicConnectionProtocol):
    """A client of HTTP/3, no more than these tests need."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._http = H3Connection(self._quic)
        self._events: dict[int, asyncio.Queue[Any]] = defaultdict(asyncio.Queue)

    def quic_event_received(self, event: Any) -> None:
        for found in self._http.handle_event(event):
            if isinstance(found, HeadersReceived | DataReceived):
                self._events[found.stream_id].put_nowait(found)

    async def request(
        self, method: str, path: str, body: bytes = b"", *, until: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer; of one that does not end, the body ``until`` something has come."""
        stream = self._quic.get_next_available_stream_id()
        head = {":method": method, ":scheme": "https", ":authority": "localhost", ":path": f"/api/v1{path}"}
        given = {
            "content-type": "application/json",
            **{name.replace("_", "-"): it for name, it in headers.items()},
        }
        pairs = [(name.encode(), value.encode()) for name, value in {**head, **given}.items()]
        self._http.send_headers(stream, pairs, end_stream=not body)
        if body:
            self._http.send_data(stream, body, end_stream=True)
        self.transmit()
        return await self.answer(stream, until)

    def send(self, *frames: tuple[int, bytes | Headers], ended: bool = True) -> int:
        """Send frames as they are, each a type and what is in it, be they right or wrong; the stream they went out on."""
        stream = self._quic.get_next_available_stream_id()
        sent = b""
        for kind, inside in frames:
            block = inside if isinstance(inside, bytes) else self._http._encoder.encode(stream, inside)[1]
            sent += encode_uint_var(kind) + encode_uint_var(len(block)) + block
        self._quic.send_stream_data(stream, sent, ended)
        self.transmit()
        return stream

    async def answer(self, stream: int, until: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        """What comes on a stream, as of :meth:`request`."""
        answered: dict[str, str] = {}
        read = b""
        async with asyncio.timeout(40):
            while True:
                event = await self._events[stream].get()
                if isinstance(event, HeadersReceived):
                    answered |= {name.decode(): value.decode() for name, value in event.headers}
                else:
                    read += event.data
                if event.stream_ended or (until is not None and until in read):
                    return int(answered[":status"]), answered, read


@asynccontextmanager
async def serving(app: Jobbers, certificate: Certificate) -> AsyncIterator[str]:
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, port=0, http3=certificate, ready=url.set_result))
    try:
        await asyncio.wait([task, url], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        yield await url
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def calling(url: str, certificate: Certificate) -> AsyncIterator[Caller]:
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name="localhost")
    configuration.load_verify_locations(str(certificate.certfile))
    port = urlsplit(url).port
    assert port is not None
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Caller) as caller:
        yield caller
