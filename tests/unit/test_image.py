"""The Dockerfile as a document: pinned, hashed, not root, no Java; and the build context has what it copies."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def image_complaints(text: str) -> Iterator[str]:
    """What is wrong with a Dockerfile."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    if len(bases) < 2 or not all(re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base) for base in bases):
        yield f"bases {bases}: two stages of one exact python:3.11 patch release are wanted"
    installs = [line for line in lines if "pip install" in line]
    for line in installs:
        if "--require-hashes" not in line and "--no-deps --no-build-isolation" not in line:
            yield f"installs without hashes: {line}"
    if not any("requirements.lock" in line for line in installs):
        yield "does not install the locked dependencies"
    final = lines[max(index for index, line in enumerate(lines) if line.startswith("FROM ")) :]
    users = [line.split()[1] for line in final if line.startswith("USER ")]
    if not users or users[-1].partition(":")[0] in ("0", "root"):
        yield "runs as root"
    for wanted in ("VOLUME /data", "HEALTHCHECK NONE", 'ENTRYPOINT ["streamapp"]'):
        if wanted not in final:
            yield f"has no {wanted}"
    if re.search(r"\b(java|jre|jdk|openjdk)\b", text, re.IGNORECASE):
        yield "brings Java"


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


def test_image_is_pinned_and_does_not_run_as_root() -> None:
    assert list(image_complaints(dockerfile())) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("python:3.11.14-slim-bookworm", "python:3.11-slim", "exact"),
        ("--require-hashes --requirement requirements.lock", "--requirement requirements.lock", "without hashes"),
        ("--require-hashes --requirement requirements.lock", "--require-hashes --requirement other", "locked"),
        ("USER 10001:10001", "USER root", "as root"),
        ("USER 10001:10001\n", "", "as root"),
        ("VOLUME /data\n", "", "VOLUME"),
        ("HEALTHCHECK NONE\n", "", "HEALTHCHECK"),
        ("RUN groupadd", "RUN apt-get install --yes default-jre && groupadd", "Java"),
    ],
)
def test_image_broken_on_purpose_is_noticed(old: str, new: str, complaint: str) -> None:
    assert old in dockerfile()
    assert any(complaint in found for found in image_complaints(dockerfile().replace(old, new)))


def test_build_context_has_what_the_image_copies() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for line in dockerfile().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)
