"""Alembic's door: runs the migrations on the connection that `schema.migrate` opened."""

from alembic import context

with_connection = context.config.attributes["connection"]
context.configure(connection=with_connection, login_role=context.config.attributes.get("login_role"))
with context.begin_transaction():
    context.run_migrations()
