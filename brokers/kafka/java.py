"""The Java that runs Kafka: where it is, whether it is new enough, and its options."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from brokers.errors import NotInstalled

OLDEST_JAVA = 17  # Kafka 4 brokers need it
_MISSING = f"Java {OLDEST_JAVA} or newer, which runs Kafka, is missing: install openjdk-17-jre-headless"

LOG_CONFIGURATION = Path(__file__).parent / "log4j2.properties"

QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Less optimising: starts in two thirds of the time, but is slower under load."""


def find_java() -> str | None:
    """The path of the java program: JAVA_HOME's, or the one on the PATH."""
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        return str(Path(home) / "bin" / "java")
    return shutil.which("java")


def demand_java() -> str:
    """The path of a java that is new enough.

    Raises:
        NotInstalled: there is none.
    """
    java = find_java()
    if java is None:
        raise NotInstalled(f"{_MISSING}.")
    version = java_version(java)
    if version < OLDEST_JAVA:
        raise NotInstalled(f"{_MISSING} ({java} is Java {version}; JAVA_HOME chooses another).")
    return java


def java_version(java: str) -> int:
    """The feature release of a Java, for example 17; 0 if it does not say."""
    done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(found.group(1)) if found else 0
