"""The command line. A table of commands, each imported only when it is called."""

import importlib
from typing import IO, Any

import click

from gateway.domain import errors

COMMANDS = {
    "appointment": "gateway.cli.appointment:appointment",
    "audit": "gateway.cli.audit:audit",
    "campaign": "gateway.cli.campaign:campaign",
    "channel": "gateway.cli.channel:channel",
    "client": "gateway.cli.client:client",
    "clinic-day": "gateway.cli.clinic_day:clinic_day",
    "dialogue": "gateway.cli.dialogue:dialogue",
    "doctor": "gateway.cli.doctor:doctor",
    "flag": "gateway.cli.flag:flag",
    "holiday": "gateway.cli.holiday:holiday",
    "inbox": "gateway.cli.inbox:inbox",
    "interpret": "gateway.cli.interpret:interpret_lines",
    "key": "gateway.cli.key:make_key",
    "message": "gateway.cli.message:message",
    "migrate": "gateway.cli.run:migrate",
    "misread": "gateway.cli.misread:misread",
    "number": "gateway.cli.text:read_numbers",
    "oncall": "gateway.cli.oncall:oncall",
    "phone": "gateway.cli.phone:phone",
    "report": "gateway.cli.report:report",
    "reset": "gateway.cli.run:reset",
    "route": "gateway.cli.route:route",
    "run": "gateway.cli.run:run",
    "segments": "gateway.cli.text:count_segments",
    "sending": "gateway.cli.channel:sending",
    "service": "gateway.cli.service:service",
    "staff": "gateway.cli.staff:staff",
    "template": "gateway.cli.template:template",
    "unit": "gateway.cli.unit:unit",
    "web": "gateway.cli.web:serve",
}
"""Command -> "module:attribute" of a click command or group."""


class Failure(click.ClickException):
    """Prints an error on standard error in the reader's language; the program exits with 1."""

    def __init__(self, error: errors.GatewayError) -> None:
        # Only now: it takes a tenth of a second that a command which goes well need not wait for.
        from gateway.cli.language import _, shown

        super().__init__(error.told(shown))
        self._line = _("Error: {error}").format(error=self.message)

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self._line, file=file, err=True)


class Refusal(Failure):
    """For an `errors.Refused`; the program exits with 2."""

    exit_code = 2


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except errors.Refused as refused:
            raise Refusal(refused) from refused
        except errors.GatewayError as failed:
            raise Failure(failed) from failed
        except Exception as error:
            if type(error).__module__ != "sqlalchemy.exc":  # imported only by commands that need it
                raise
            raise Failure(
                errors.GatewayError(
                    "The database gave up on this ({error}); nothing was changed. `python -m gateway doctor` says more.",
                    error=type(error).__name__,
                )
            ) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Reminders and check-ins by SMS and USSD, and the answers to them."""
