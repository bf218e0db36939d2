"""Brings what the brokers need and the machine lacks: system packages with apt-get, Kafka's jars with Maven.

Never starts a service of the packages it installs, and never touches one that was there before.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from brokers.endpoints import Service
from brokers.errors import InstallationFailed, NotInstalled
from brokers.kafka.jars import fetch
from brokers.kafka.java import OLDEST_JAVA, demand_java, find_java, java_version
from brokers.rabbitmq.broker import find_rabbitmq
from brokers.redis import find_redis

Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]

POLICY = "/usr/sbin/policy-rc.d"
_APT_SECONDS = 1800.0

APT_SCRIPT = """\
set -eu
policy=$1; shift
saved=$policy.before-streamapp
mark='# placed by streamapp while packages are being installed'
# Debian asks this file before it starts a service (invoke-rc.d(8)); 101 means: do not.
restore() {
    if [ -e "$saved" ] || [ -L "$saved" ]; then mv -f "$saved" "$policy"; else rm -f "$policy"; fi
}
if [ -e "$policy" ] || [ -L "$policy" ]; then
    # One with our mark stayed behind when an earlier run was killed: nothing of anybody else to save.
    if ! grep -qs "$mark" "$policy"; then mv "$policy" "$saved"; fi
fi
trap restore EXIT
trap 'exit 130' HUP INT TERM
printf '#!/bin/sh\\n%s\\nexit 101\\n' "$mark" > "$policy"
chmod 755 "$policy"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends "$@"
# The packages enable their services for the next boot of the machine, where they would take our ports.
if command -v systemctl > /dev/null; then
    for package in "$@"; do
        case $package in
            rabbitmq-server) units='rabbitmq-server.service epmd.socket epmd.service' ;;
            redis-server) units=redis-server.service ;;
            *) units= ;;
        esac
        for unit in $units; do systemctl disable "$unit" > /dev/null 2>&1 || true; done
    done
fi
"""


def install(services: frozenset[Service], jars: Path, notify: Callable[[str], None]) -> None:
    """Bring whatever these services need.

    Args:
        services: which brokers are to run on this machine.
        jars: where Kafka's jars belong.
        notify: told in a few words what happens.

    Raises:
        NotInstalled: something is missing and cannot be installed from here; says what to install.
        InstallationFailed: apt-get or Maven failed; the end of its output is quoted.
        JarsDamaged: Kafka's jars are not the pinned ones.
    """
    packages = missing_packages(services, jars)
    if packages:
        install_packages(packages, notify)
    if "kafka" in services:
        demand_java()
        fetch(jars, notify)


def missing_packages(services: frozenset[Service], jars: Path) -> tuple[str, ...]:
    """The Debian packages that these services need and that are not there."""
    wanted = []
    if "kafka" in services:
        java = find_java()
        if java is None or java_version(java) < OLDEST_JAVA:
            wanted.append("openjdk-17-jre-headless")
        if not jars.is_dir() and shutil.which("mvn") is None:
            wanted.append("maven")
    if "rabbitmq" in services and (find_rabbitmq() is None or shutil.which("epmd") is None):
        wanted.append("rabbitmq-server")
    if "redis" in services and find_redis() is None:
        wanted.append("redis-server")
    return tuple(wanted)


def run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, with its output collected."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_APT_SECONDS,
        check=False,
    )


def install_packages(
    packages: Sequence[str], notify: Callable[[str], None], runner: Runner = run, is_root: bool | None = None
) -> None:
    """Install Debian packages without starting their services.

    Args:
        packages: their names.
        notify: told in a few words what happens.
        runner: runs a command.
        is_root: whether this process may do everything; asked of the system by default.

    Raises:
        NotInstalled: there is no apt-get, or no right to use it.
        InstallationFailed: apt-get failed.
    """
    names = " ".join(packages)
    by_hand = (
        f"These packages are missing: {names}. Install them (on Debian or Ubuntu: sudo apt-get install {names}) "
        "or run the brokers in containers (docker compose up)."
    )
    if shutil.which("apt-get") is None:
        raise NotInstalled(by_hand)
    command = ["sh", "-c", APT_SCRIPT, "sh", POLICY, *packages]
    if not (os.geteuid() == 0 if is_root is None else is_root):
        if shutil.which("sudo") is None or runner(["sudo", "-n", "true"]).returncode != 0:
            raise NotInstalled(f"{by_hand} They cannot be installed from here: that needs root or sudo.")
        command = ["sudo", "-n", *command]
    notify(f"installing {names}")
    try:
        done = runner(command)
    except subprocess.TimeoutExpired as error:
        raise InstallationFailed(f"apt-get did not finish within {_APT_SECONDS:.0f} s. {by_hand}") from error
    if done.returncode != 0:
        end = "\n".join((done.stdout or "").splitlines()[-20:])
        raise InstallationFailed(f"apt-get could not install {names}. {by_hand}\nThe end of its output:\n{end}")
