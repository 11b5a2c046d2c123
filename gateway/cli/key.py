"""`python -m gateway key`: a fresh key for GATEWAY_MASTER_KEYS or GATEWAY_INDEX_KEYS."""

import click

from gateway import vault
from gateway.cli.language import _


@click.command("key")
@click.argument("key_id", default="1")
def make_key(key_id: str) -> None:
    """Print a fresh key as the settings take it. Keep a copy elsewhere: without it nothing can be read."""
    if not key_id.isalnum():
        raise click.BadParameter(_("an id is letters and digits"), param_hint="KEY_ID")
    click.echo(vault.new_setting(key_id))
