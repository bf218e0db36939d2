"""Signatures and headers of webhooks, without a network."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from streamapp.domain.errors import PermanentFailure
from streamapp.handlers.webhook_delivery import _header, key, sign


def test_the_example_of_standard_webhooks_is_signed_as_its_authors_do() -> None:
    secret = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign(b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, key(secret))
    assert headers == {
        "Idempotency-Key": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "Webhook-Timestamp": "1614265330",
        "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_is_base64_only_if_it_says_so() -> None:
    assert key(SecretStr("plain")) == b"plain"
    assert key(SecretStr("a-whsec_b")) == b"a-whsec_b"
    assert key(SecretStr("whsec_" + base64.b64encode(b"\x00\xff").decode())) == b"\x00\xff"


@pytest.mark.parametrize("secret", [None, SecretStr(""), SecretStr("whsec_not base64")])
def test_without_a_usable_secret_the_setting_is_named(secret: SecretStr | None) -> None:
    with pytest.raises(PermanentFailure, match="STREAMAPP_WEBHOOK__SIGNING_SECRET") as raised:
        key(secret)
    assert "not base64" not in str(raised.value)


@given(st.text(), st.text())
def test_ids_become_headers_that_are_safe_and_still_different(one: str, other: str) -> None:
    first, second = _header(one), _header(other)
    assert all(0x21 <= ord(char) < 0x7F for char in first)
    assert (first == second) == (one == other)


def test_a_usual_task_id_is_its_own_header() -> None:
    assert _header("evt-test-001/a:b~c{}\"'<>") == "evt-test-001/a:b~c{}\"'<>"
