"""What the obvious design does: one job, one message, one client of twilio-python. The peer of bench/outbound.py."""


def send(url: str, to: str, body: str) -> None:
    """Send one text as the documentation of RQ and twilio-python would have it."""
    from twilio.rest import Client

    client = Client("AC" + "0" * 32, "token")
    client.api.base_url = url
    client.messages.create(to=to, from_="+15005550006", body=body)
