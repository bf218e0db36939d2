"""System packages are installed without starting their services, or the user is told what to install."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from brokers import InstallationFailed, NotInstalled
from brokers.installation import APT_SCRIPT, POLICY, install_packages, missing_packages


class Machine:
    """Remembers what it was asked to run, and answers as told."""

    def __init__(self, **codes: int) -> None:
        self.codes = codes
        self.asked: list[list[str]] = []

    def __call__(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        self.asked.append(list(command))
        what = "sudo" if command[:2] == ["sudo", "-n"] and command[2] == "true" else "apt"
        return subprocess.CompletedProcess(command, self.codes.get(what, 0), stdout="E: no such package")


def silent(_message: str) -> None:
    """Say nothing."""


@pytest.fixture(autouse=True)
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH with apt-get and sudo that are never meant to be run."""
    for name in ("apt-get", "sudo"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 99\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def test_root_installs_directly() -> None:
    machine = Machine()
    install_packages(["redis-server"], silent, machine, is_root=True)
    assert machine.asked == [["sh", "-c", APT_SCRIPT, "sh", POLICY, "redis-server"]]


def test_others_install_with_sudo_that_asks_no_password() -> None:
    machine = Machine()
    install_packages(["redis-server", "maven"], silent, machine, is_root=False)
    assert machine.asked[0] == ["sudo", "-n", "true"]
    assert machine.asked[1] == ["sudo", "-n", "sh", "-c", APT_SCRIPT, "sh", POLICY, "redis-server", "maven"]


def test_without_rights_the_user_is_told_what_to_install() -> None:
    machine = Machine(sudo=1)
    with pytest.raises(NotInstalled, match=r"apt-get install redis-server maven.*docker compose up.*needs root"):
        install_packages(["redis-server", "maven"], silent, machine, is_root=False)
    assert len(machine.asked) == 1


def test_without_apt_the_user_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(NotInstalled, match="redis-server"):
        install_packages(["redis-server"], silent, Machine(), is_root=True)


def test_failing_apt_is_quoted() -> None:
    with pytest.raises(InstallationFailed, match="E: no such package"):
        install_packages(["redis-server"], silent, Machine(apt=100), is_root=True)


def test_only_what_the_services_need_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    absent = tmp_path / "libs"
    assert missing_packages(frozenset({"redis"}), absent) == ("redis-server",)
    assert missing_packages(frozenset({"kafka"}), absent) == ("openjdk-17-jre-headless", "maven")
    absent.mkdir()
    assert missing_packages(frozenset({"kafka"}), absent) == ("openjdk-17-jre-headless",)
    assert missing_packages(frozenset(), absent) == ()


class Debian:
    """The script run for real, with an apt-get that only looks at what the package scripts would be told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.policy = folder / "sbin" / "policy-rc.d"
        self.policy.parent.mkdir()
        self.seen = folder / "seen"
        self._program(folder, "apt-get", f'echo "$@" >> {self.seen}; {self.policy}; echo "policy $?" >> {self.seen}')
        self._program(folder, "systemctl", f'echo "systemctl $*" >> {self.seen}')
        self.folder = folder
        monkeypatch.setenv("PATH", str(folder), prepend=":")

    def _program(self, folder: Path, name: str, line: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)

    def fail(self) -> None:
        self._program(self.folder, "apt-get", "exit 100")

    def install(self, *packages: str) -> int:
        return subprocess.run(["sh", "-c", APT_SCRIPT, "sh", self.policy, *packages], check=False).returncode

    def left_over(self) -> set[str]:
        return {entry.name for entry in self.policy.parent.iterdir()}


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Debian:
    return Debian(tmp_path, monkeypatch)


def test_services_are_held_back_while_packages_are_installed(debian: Debian) -> None:
    assert debian.install("rabbitmq-server", "redis-server") == 0
    lines = debian.seen.read_text().splitlines()
    assert lines[:4] == [
        "-qq update",
        "policy 101",
        "-qq install --yes --no-install-recommends rabbitmq-server redis-server",
        "policy 101",
    ]
    assert "systemctl disable rabbitmq-server.service" in lines
    assert "systemctl disable redis-server.service" in lines
    assert debian.left_over() == set()


def test_services_of_other_packages_are_not_touched(debian: Debian) -> None:
    assert debian.install("maven") == 0
    assert "systemctl" not in debian.seen.read_text()


@pytest.mark.parametrize("fails", [False, True])
def test_policy_that_was_there_is_restored(debian: Debian, fails: bool) -> None:
    debian.policy.write_text("#!/bin/sh\nexit 0\n")
    debian.policy.chmod(0o751)
    if fails:
        debian.fail()
    assert debian.install("maven") == (100 if fails else 0)
    assert debian.policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert debian.policy.stat().st_mode & 0o777 == 0o751
    assert debian.left_over() == {"policy-rc.d"}


def test_policy_that_is_a_link_is_restored_as_one(debian: Debian) -> None:
    debian.policy.symlink_to("elsewhere")
    assert debian.install("maven") == 0
    assert str(debian.policy.readlink()) == "elsewhere"


def test_policy_left_by_a_killed_run_is_cleared_away(debian: Debian) -> None:
    """An earlier run was killed after it had put the user's policy aside and placed its own."""
    (debian.policy.parent / "policy-rc.d.before-streamapp").write_text("the user's")
    debian.policy.write_text("#!/bin/sh\n# placed by streamapp while packages are being installed\nexit 101\n")
    assert debian.install("maven") == 0
    assert debian.policy.read_text() == "the user's"
    assert debian.left_over() == {"policy-rc.d"}


def test_own_policy_left_alone_by_a_killed_run_is_removed(debian: Debian) -> None:
    debian.policy.write_text("#!/bin/sh\n# placed by streamapp while packages are being installed\nexit 101\n")
    assert debian.install("maven") == 0
    assert debian.left_over() == set()
