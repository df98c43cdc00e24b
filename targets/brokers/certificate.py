"""A certificate for brokers on loopback, made on the fly with the JDK's keytool."""

import itertools
import os
import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tidemark.targets.brokers.ports import LOOPBACK
from tidemark.targets.errors import TargetError

_ALIAS = "broker"
_PASSWORD_VARIABLE = "TIDEMARK_STORE_PASSWORD"  # noqa: S105 - a name, not a password
_VALID_DAYS = 2
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate and its key.

    Attributes:
        keystore: The PKCS #12 file with both.
        authority: The certificate alone, PEM, for clients to trust (`ssl.ca.location`).
        password: What the keystore is encrypted with.
    """

    keystore: Path
    authority: Path
    password: str = field(repr=False)

    @classmethod
    def make(cls, keytool: Path, directory: Path) -> Self:
        """Make one for 127.0.0.1 and localhost, in files in the directory.

        Raises:
            TargetError: keytool failed.
        """
        stores = (directory / "broker.p12", directory / "authority.pem")
        certificate = cls(*stores, secrets.token_urlsafe())
        certificate._run(
            keytool,
            ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-storetype", "PKCS12"],
            ["-dname", "CN=localhost", "-validity", str(_VALID_DAYS)],
            ["-ext", f"san=dns:localhost,ip:{LOOPBACK}", "-ext", "bc:critical=ca:true"],
        )
        certificate._run(keytool, ["-exportcert", "-rfc", "-file", str(certificate.authority)])
        lines = [f"{key}={value}\n" for key, value in certificate.client_options().items()]
        certificate.client_config.write_text("".join(lines))
        return certificate

    @property
    def client_config(self) -> Path:
        """The file with the client's options, as `--kafka-config` reads it."""
        return self.authority.with_name("client.properties")

    def broker_properties(self) -> dict[str, str]:
        """What a broker needs to know of it."""
        return {
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": str(self.keystore),
            "ssl.keystore.password": self.password,
        }

    def client_options(self) -> dict[str, str]:
        """What a client needs to know of it, as librdkafka properties."""
        return {"security.protocol": "ssl", "ssl.ca.location": str(self.authority)}

    def _run(self, keytool: Path, *arguments: list[str]) -> None:
        store = ["-keystore", str(self.keystore), "-alias", _ALIAS]
        # In the environment, not in the command line, which everybody can read.
        store += ["-storepass:env", _PASSWORD_VARIABLE]
        command = [str(keytool), *itertools.chain(*arguments), *store]
        try:
            finished = subprocess.run(
                command,
                capture_output=True,
                text=True,
                env={**os.environ, _PASSWORD_VARIABLE: self.password},
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TargetError(f"no certificate: {keytool} does not run ({error})") from error
        if finished.returncode != 0:
            reason = " ".join((finished.stdout + finished.stderr).split())
            raise TargetError(f"no certificate: {keytool} says {reason!r}")
