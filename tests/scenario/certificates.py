# SPDX-License-Identifier: Apache-2.0
"""Certificates for one test: a root and what it issues, as PEM files. Keys are PKCS #8, as Linkerd's keyPath wants them.

    authority = Authority(folder)
    web = authority.issue("web", dns=["web"])                       # web.certificate, web.key: paths
    caller = authority.issue("caller", uri=["spiffe://test/ns/default/sa/caller"])
"""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


class Identity:
    """A certificate and its key."""

    def __init__(self, folder, name, certificate, key):
        self.name, self.x509, self.private = name, certificate, key
        self.certificate, self.key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
        with open(self.certificate, "wb") as file:
            file.write(certificate.public_bytes(serialization.Encoding.PEM))
        with open(self.key, "wb") as file:
            file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


class Authority:
    """A root of trust: P-256, valid from yesterday."""

    def __init__(self, folder, name="root"):
        self.folder, self.name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            self._begin(self.name, key.public_key(), now - DAY, now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
                                         key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False),
                           critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256()))
        self.identity = Identity(folder, name, certificate, key)

    @property
    def bundle(self):
        """Path of the root's certificate."""
        return self.identity.certificate

    def _begin(self, subject, public, since, until):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public)
                .serial_number(x509.random_serial_number()).not_valid_before(since).not_valid_after(until))

    def issue(self, name, dns=(), uri=(), ip=("127.0.0.1",), days=(-1, 2)):
        """For servers and clients. `days`: valid from and until, counted from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        names = [x509.DNSName(one) for one in dns] + [x509.UniformResourceIdentifier(one) for one in uri]
        names += [x509.IPAddress(ipaddress.ip_address(one)) for one in ip]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = self.identity.private
        certificate = (
            self._begin(subject, key.public_key(), now + days[0] * DAY, now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(issuer, hashes.SHA256()))
        return Identity(self.folder, name, certificate, key)
