"""Certificates made for a test, and a server that shows them."""

import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in files and in hand."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey
    cert_file: Path
    key_file: Path


def make(
    folder: Path,
    name: str,
    *,
    issuer: Pair | None = None,
    authority: bool = False,
    addresses: tuple[str, ...] = (),
    lasts: timedelta = DAY,
    begins: timedelta = -DAY,
    password: bytes | None = None,
) -> Pair:
    """A certificate for `name`, signed by `issuer` or by itself, valid from `begins` to `lasts` from now."""
    now = datetime.now(UTC)
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName(name), *(x509.IPAddress(ip_address(text)) for text in addresses)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + lasts)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden))
    return Pair(certificate, key, cert_file, key_file)


@dataclass
class TlsServer:
    """Where it listens, and who (the client certificate's name, "" for none) has sent something."""

    port: int
    visitors: list[str]


@contextmanager
def serving(
    shown: Pair, *, clients_of: Pair | None = None, newest: ssl.TLSVersion | None = None
) -> Iterator[TlsServer]:
    """A server on loopback that shows a certificate, and asks for one of the authority `clients_of` where it is named."""
    visitors: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            found = self.connection.getpeercert() if clients_of else None  # type: ignore[attr-defined]
            visitors.append(found["subject"][0][0][1] if found else "")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_args: object) -> None:
            """Clients that go away are what is tested."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if newest is not None:
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(shown.cert_file, shown.key_file)
    if clients_of is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients_of.cert_file)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield TlsServer(server.server_address[1], visitors)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
