"""A result may hold texts that are more than text: a header of an e-mail is a str with parsed parts."""

from email.message import EmailMessage

from streamapp.worker.results import to_json


def test_a_header_of_an_email_is_kept_as_its_text() -> None:
    message = EmailMessage()
    message["Message-ID"] = "<evt-1@streamapp.example>"

    assert to_json({"messageId": message["Message-ID"]}, 1000) == {"messageId": "<evt-1@streamapp.example>"}
