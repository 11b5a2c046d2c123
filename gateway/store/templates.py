"""Templates as they were when a campaign started: a running campaign never changes its words."""

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import text

from gateway.domain.templates import Template
from gateway.store.base import Work


def pin(work: Work, templates: Iterable[Template]) -> None:
    """Keep templates by purpose, version and language; what is kept already stays. Runs as the system."""
    for one in sorted(templates, key=lambda template: (template.purpose, template.language)):
        work.execute(_PIN, {"purpose": one.purpose, "version": one.version, "language": one.language,
                            "content": json.dumps(one.to_dict())})  # fmt: skip


_PIN = text("""
  INSERT INTO templates (id, purpose, version, language, content)
  VALUES (gen_random_uuid(), :purpose, :version, :language, CAST(:content AS jsonb))
  ON CONFLICT (purpose, version, language) DO NOTHING""")
_PINNED = text("""
  SELECT content FROM templates
  WHERE (purpose, version) IN (SELECT * FROM unnest(CAST(:purposes AS text[]), CAST(:versions AS text[])))""")


def pinned(work: Work, versions: Mapping[str, str]) -> dict[tuple[str, str], Template]:
    """The templates of these purposes at these versions, by purpose and language."""
    rows = work.all(_PINNED, purposes=list(versions), versions=list(versions.values()))
    found = [Template.from_dict(row.content) for row in rows]
    return {(template.purpose, template.language): template for template in found}
