-- A look through the carrier's list that took more than its share of pages: where it goes on, {"began_at", "since", "pages": {number: page}}.
ALTER TABLE channels ADD backfill_rest jsonb;
