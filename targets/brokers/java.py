"""The Java that brokers run on, and the jars of Apache Kafka."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tidemark.targets.errors import TargetError

OLDEST_JAVA = 17
OLDEST_KAFKA = 4
FETCHED_JARS = Path(__file__).resolve().parents[2] / ".kafka" / "jars"
"""Where `make kafka` puts the jars in a checkout; `tidemark/targets` is a link there."""

_VERSION_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class KafkaInstallation:
    """What it takes to run Apache Kafka.

    Attributes:
        java: The `java` command.
        jars: The directory of Kafka's jars, and of all that they need.
        version: Kafka's version, such as `4.1.1`.
    """

    java: Path
    jars: Path
    version: str

    @property
    def keytool(self) -> Path:
        """The certificate tool, which every Java has beside its `java`."""
        return self.java.resolve().with_name("keytool")


def find_installation() -> KafkaInstallation:
    """Find Java and Kafka.

    Java is `$JAVA_HOME/bin/java`, or else the one on the path. Kafka is what `KAFKA_HOME`
    names, an unpacked release or a directory of jars, or else what `make kafka` fetched.

    Raises:
        TargetError: One of them is not there, or too old.
    """
    java = _find_java()
    _check_java(java)
    home = Path(os.environ.get("KAFKA_HOME") or FETCHED_JARS)
    jars = home / "libs" if (home / "libs").is_dir() else home
    return KafkaInstallation(java, jars, _kafka_version(jars))


def _find_java() -> Path:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    if found is None:
        where = f"in JAVA_HOME={home}" if home else "on the PATH"
        raise TargetError(
            f"no java {where}: Kafka needs Java {OLDEST_JAVA} or newer "
            "(on Debian: apt install openjdk-17-jre-headless)"
        )
    return Path(found)


def _check_java(java: Path) -> None:
    try:
        answer = subprocess.run(
            [str(java), "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        ).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(f"{java} does not run ({error}): set JAVA_HOME") from error
    release = java_release(answer)
    if release is None:
        first_line = (answer.splitlines() or ["nothing"])[0]
        raise TargetError(f"{java} -version said {first_line!r}, no version: set JAVA_HOME")
    if release < OLDEST_JAVA:
        raise TargetError(
            f"{java} is Java {release}, and Kafka needs {OLDEST_JAVA} or newer: "
            "set JAVA_HOME to a newer one"
        )


def java_release(answer: str) -> int | None:
    """The feature release in what `java -version` says: 8, 17, 21; None if there is none.

    Up to Java 8 versions began with `1.` (JEP 223).
    """
    match = re.search(r'version "(?:1\.)?(\d+)', answer)
    return int(match.group(1)) if match else None


def _kafka_version(jars: Path) -> str:
    remedy = "fetch them (make kafka) or set KAFKA_HOME to an unpacked Kafka"
    names = [path.stem for path in sorted(jars.glob("kafka_2.1[0-9]-*.jar"))]
    versions = [re.fullmatch(r"kafka_2\.\d+-(\d+(?:\.[0-9.]+)?)", name) for name in names]
    found = [match[1] for match in versions if match]
    if not found:
        raise TargetError(f"no Kafka jars in {jars}: {remedy}")
    version = found[-1]
    if int(version.partition(".")[0]) < OLDEST_KAFKA:
        raise TargetError(f"Kafka {version} in {jars} is too old, 4.0 is needed: {remedy}")
    return version
