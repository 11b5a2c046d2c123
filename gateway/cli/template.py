"""`template`: look at what we say, and check that it may be said."""

from collections.abc import Iterator
from pathlib import Path

import click

from gateway import content
from gateway.cli import screen
from gateway.cli.language import _, shown
from gateway.content import Content
from gateway.domain import segments, wording
from gateway.domain.templates import Template, TemplateError


@click.group()
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with templates_sms/ and locales/.",
)
@click.pass_context
def template(context: click.Context, root: Path | None) -> None:
    """The texts in templates_sms/."""
    context.obj = content.load(root)


@template.command()
@click.pass_obj
def lint(library: Content) -> None:
    """Check every text in every language; exit 1 when one is not fit to be sent."""
    findings = library.lint()
    for finding in findings:
        click.echo(f"{finding.where}: {shown(finding.what)}")
    if findings:
        screen.warn("{count} findings.", count=len(findings))
        raise SystemExit(1)
    screen.say("{count} purposes in {languages}: all fit to be sent.", count=len(library.purposes), languages=", ".join(library.languages))


@template.command()
@click.argument("purpose")
@click.option("--language", help="One language instead of all.")
@click.option("--folded", is_flag=True, help="Only the text without tones.")
@click.pass_obj
def preview(library: Content, purpose: str, language: str | None, folded: bool) -> None:
    """Show a text at its longest realistic values: what is sent, in how many segments, and why."""
    if purpose not in library.purposes:
        raise TemplateError("There is no template {purpose!r}. There are: {purposes}.", purpose=purpose, purposes=library.purposes)
    written = library.available(purpose)
    if language and language not in written:
        raise TemplateError("{purpose} is not written in {language!r}, only in {written}.", purpose=purpose, language=language, written=written)
    for code in [language] if language else written:
        for line in _preview(library, library.templates[purpose, code], folded):
            click.echo(line)


def _preview(library: Content, shown: Template, folded: bool) -> Iterator[str]:
    longest = library.languages[shown.language].longest
    for body, label in ((shown.body, ""), (shown.open_body, _("names the service"))):
        if body is None:
            continue
        yield " · ".join(filter(None, (shown.purpose, shown.language, label)))
        text = segments.tidy(wording.fill(body, longest))
        if not folded:
            yield from _counted(_("as written"), text)
        if folded or segments.fold(text) != text:
            yield from _counted(_("without tones"), segments.fold(text))
        yield ""


def _counted(label: str, text: str) -> Iterator[str]:
    counted = segments.count(text)
    yield f"  {text}"
    yield "  " + _("{label}: {encoding}, segments {segments}, units {units}").format(
        label=label, encoding=counted.encoding, segments=counted.segments, units=counted.units
    )
    if forcing := segments.forcing(text):
        yield "  " + _("UCS-2 because of: {characters}").format(characters=" ".join(forcing))
