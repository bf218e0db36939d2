"""USER_CREATED: a welcome e-mail over SMTP.

In: the address and name of a user. Out: the Message-ID that was sent. The address is personal data: it goes to the mail
server and nowhere else, so results and errors name its domain at most.
"""

import hashlib
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate

import aiosmtplib

from streamapp.domain.errors import HandlerFailure, PermanentFailure, RetryableFailure
from streamapp.domain.facts import Json
from streamapp.handlers.bind import handles
from streamapp.handlers.context import Context
from streamapp.settings import SmtpSettings
from streamapp.tasktypes.shipped import USER_CREATED, UserCreated

TEXT = """Hello {name},

your account is ready. Welcome, and thank you for joining us.

If you did not sign up, you need not do anything: just ignore this message.
"""

_ATOM = r"[^\s.,:;@<>()\[\]\\\"]{1,64}"
_ADDRESS = re.compile(rf"{_ATOM}(\.{_ATOM})*@{_ATOM}(\.{_ATOM})*")
"""A dot-atom on both sides (RFC 5322, 3.4.1), in any alphabet (RFC 6532)."""

_ENHANCED_CODE = re.compile(r"\d\.\d{1,3}\.\d{1,3}\b")


@handles(USER_CREATED)
async def send_welcome_email(params: UserCreated, context: Context) -> Json:
    """Send the e-mail. The same task always sends the same Message-ID, by which a second copy can be recognised.

    Raises:
        PermanentFailure: no address or none that could exist, or the mail server refuses it for good (5xx).
        RetryableFailure: the mail server cannot be reached, is too slow, or says to try later (4xx).
    """
    if not params.email:
        raise PermanentFailure("payload has no e-mail address", error_type="NoEmailAddress")
    smtp = context.environment.smtp
    recipient = _address(params.email)
    message = _compose(recipient, params.name, smtp.sender, context)
    await _send(message, recipient, smtp)
    context.log.debug("welcome e-mail handed to the mail server", domain=recipient.domain)
    return {"messageId": str(message["Message-ID"]), "to": _masked(recipient, context.idempotency_key)}


def _address(text: str) -> Address:
    """One plain address. RFC 5322 would allow comments, quotes and line breaks in it; a sign-up form does not."""
    if not text.isprintable() or not _ADDRESS.fullmatch(text):
        raise PermanentFailure("the e-mail address is not a plain address", error_type="BadAddress")
    username, _, domain = text.partition("@")
    return Address(username=username, domain=domain)


def _compose(recipient: Address, name: str | None, sender: str, context: Context) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = "Welcome!"
    message["Date"] = formatdate(context.environment.clock.now_ms() / 1000)
    message["Message-ID"] = _message_id(context.idempotency_key, sender)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office programs keep quiet
    message.set_content(TEXT.format(name=_printable(name) or "and welcome"))
    return message


def _message_id(idempotency_key: str, sender: str) -> str:
    domain = sender.rpartition("@")[2].strip("> ") or "streamapp.invalid"
    return f"<{hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]}@{domain}>"


def _printable(name: str | None) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in name or "").split())


def _masked(recipient: Address, idempotency_key: str) -> Json:
    """Enough to check a supposed address against; salted, so that tasks of one person cannot be found by it."""
    digest = hashlib.sha256(f"{idempotency_key}\n{recipient.addr_spec}".encode()).hexdigest()
    return {"domain": recipient.domain, "digest": digest[:16]}


async def _send(message: EmailMessage, recipient: Address, smtp: SmtpSettings) -> None:
    password = smtp.password.get_secret_value() if smtp.password else None
    try:
        await aiosmtplib.send(
            message,
            recipients=[recipient.addr_spec],
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.username,
            password=password,
            use_tls=smtp.use_tls,
            timeout=smtp.timeout_seconds,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _answered(error.recipients[0].code, error.recipients[0].message) from None
    except aiosmtplib.SMTPResponseException as error:
        raise _answered(error.code, error.message) from None
    except aiosmtplib.SMTPNotSupported:
        message_ = "the mail server does not support what the address or the settings need (SMTPUTF8, login)"
        raise PermanentFailure(message_, error_type="SmtpNotSupported") from None
    except TimeoutError:
        raise RetryableFailure("the mail server did not answer in time", error_type="SmtpTimeout") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        name = type(error).__name__
        raise RetryableFailure(f"the mail server cannot be reached ({name})", error_type="SmtpUnreachable") from None


def _answered(code: int, text: str) -> HandlerFailure:
    """Poison or pressure (RFC 5321, 4.2.1). The text is left out: mail servers like to quote the address in it."""
    enhanced = _ENHANCED_CODE.match(text)
    said = f"the mail server answered {code}{' ' + enhanced.group() if enhanced else ''}"
    kind = PermanentFailure if 500 <= code <= 599 else RetryableFailure
    return kind(said, error_type=f"Smtp{code}")
