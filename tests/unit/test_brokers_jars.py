"""Kafka's jars: only the pinned ones, whole or not at all, fetched by one at a time."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from brokers import InstallationFailed, JarsDamaged, NotInstalled
from brokers.kafka import jars

CONTENT = {"a-1.jar": b"first", "b-1.jar": b"second"}


@pytest.fixture(autouse=True)
def _pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = tmp_path / "jars.sha256"
    pins.write_text("".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in CONTENT.items()))
    monkeypatch.setattr(jars, "PINS", pins)


@pytest.fixture
def libs(tmp_path: Path) -> Path:
    folder = tmp_path / "cache" / "libs"
    folder.mkdir(parents=True)
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    return folder


class Maven:
    """A stand-in on the PATH that counts its runs and delivers the jars it is told to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs = folder / "runs"
        self.delivers = folder / "delivers"
        self.delivers.mkdir(parents=True)
        for name, data in CONTENT.items():
            (self.delivers / name).write_bytes(data)
        self.program = folder / "mvn"
        self.write(f'cp -r {self.delivers} "$target"')
        monkeypatch.setenv("PATH", str(folder), prepend=":")

    def write(self, ending: str) -> None:
        self.program.write_text(
            f"""#!/bin/sh
echo run >> {self.runs}
for word in "$@"; do case $word in -DoutputDirectory=*) target=${{word#*=}} ;; esac; done
{ending}
"""
        )
        self.program.chmod(0o755)


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maven:
    return Maven(tmp_path / "bin", monkeypatch)


def silent(_message: str) -> None:
    """Say nothing."""


def test_pinned_jars_are_accepted(libs: Path) -> None:
    jars.verify(libs)


def test_changed_jar_is_named(libs: Path) -> None:
    (libs / "b-1.jar").write_bytes(b"secone")
    with pytest.raises(JarsDamaged, match=r"b-1\.jar is not the pinned file") as raised:
        jars.verify(libs)
    assert "a-1.jar" not in str(raised.value)


def test_missing_jar_is_named(libs: Path) -> None:
    (libs / "a-1.jar").unlink()
    with pytest.raises(JarsDamaged, match=r"a-1\.jar is missing"):
        jars.verify(libs)


def test_additional_jar_is_named(libs: Path) -> None:
    (libs / "c-1.jar").write_bytes(b"third")
    with pytest.raises(JarsDamaged, match=r"c-1\.jar does not belong there"):
        jars.verify(libs)


def test_absent_folder_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match="python -m brokers install"):
        jars.verify(tmp_path / "nowhere")


def test_fetched_once(tmp_path: Path, maven: Maven) -> None:
    target = tmp_path / "cache" / "libs"
    jars.fetch(target, silent)
    jars.fetch(target, silent)
    assert {jar.name for jar in target.iterdir()} == set(CONTENT)
    assert maven.runs.read_text() == "run\n"
    assert {entry.name for entry in target.parent.iterdir()} == {"libs", "fetch.lock"}


def test_two_fetch_at_once(tmp_path: Path, maven: Maven) -> None:
    target = tmp_path / "cache" / "libs"
    with ThreadPoolExecutor(4) as threads:
        for fetched in [threads.submit(jars.fetch, target, silent) for _ in range(4)]:
            fetched.result()
    assert maven.runs.read_text() == "run\n"


def test_other_jars_than_pinned_never_arrive(tmp_path: Path, maven: Maven) -> None:
    target = tmp_path / "cache" / "libs"
    (maven.delivers / "a-1.jar").write_bytes(b"something else")
    with pytest.raises(JarsDamaged, match=r"a-1\.jar"):
        jars.fetch(target, silent)
    assert not target.exists()


def test_failing_maven_is_quoted_and_leaves_nothing(tmp_path: Path, maven: Maven) -> None:
    target = tmp_path / "cache" / "libs"
    maven.write('mkdir "$target"; echo "repository unreachable"; exit 1')
    with pytest.raises(InstallationFailed, match="repository unreachable"):
        jars.fetch(target, silent)
    assert {entry.name for entry in target.parent.iterdir()} == {"fetch.lock"}


def test_absent_maven_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match="maven"):
        jars.fetch(tmp_path / "cache" / "libs", silent)


def test_cache_folder_follows_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jars.jar_folder() == tmp_path / "streamapp" / f"kafka-{jars.KAFKA_VERSION}" / "libs"
    assert jars.jar_folder(tmp_path / "own") == tmp_path / "own" / f"kafka-{jars.KAFKA_VERSION}" / "libs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert jars.jar_folder().is_relative_to(tmp_path / "home" / ".cache")


def test_version_in_pom_is_the_version_in_code() -> None:
    pom = (Path(jars.__file__).parent / "pom.xml").read_text()
    assert f"<kafka.version>{jars.KAFKA_VERSION}</kafka.version>" in pom
