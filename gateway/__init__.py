"""SMS and USSD reminders and outreach for people without a smartphone. The map of the house:

    domain/      the rules: pure functions over values (segments, phone, interpret, decide, judge, windows, ...)
    store/       PostgreSQL: one file per noun; `base.unit_of_work` opens every transaction
    channels/    one carrier, one file: makes requests, reads answers, does no I/O
    wire/        the one HTTP pipeline that runs the channels' requests
    content.py   what we say and understand, read once from templates_sms/ and locales/
    vault.py     encryption of names, phones and texts; keyed hashes to find them by
    bodies.py    reads what is posted before it takes a place: who sends slowly waits outside
    spool.py     stands in for PostgreSQL while it is away: what came in, encrypted, on disk
    queues.py    the doorbell: wakes the send workers through Redis, never needed for the work to be done
    usecases/    what the gateway does, one verb a file: decide by the domain, apply through the store
    webhooks.py  carriers' posts;  web/  pages of staff and the simulator;  cli/  commands;  app.py  puts the web side together
    parts.py     what every process holds, built at its start;  log.py  lines of ids alone
    config.py    settings, read once;  embedded/  local PostgreSQL and Redis;  supervisor.py  runs the Procfile

Data flows one way: an edge (webhook, command, clock, worker) calls a use case; the use case gathers a situation from
the store, the domain decides, the use case applies the effects in one transaction and rings after the commit.
`workers/` is a second thin door to the same use cases. Imports go down only; import-linter holds them to it.
"""
