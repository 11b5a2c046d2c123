"""A simulated province-year: `make simulate`, or `python -m tests.year --clients 60 --weeks 3 --seed 4`.

The gateway is the real one: web, send and clock processes, their tables, HTTP on both sides. Simulated are the time (clock),
the people (town, words, staff), the carrier (network) and what goes wrong (faults). The ledger checks each day what must hold.

    clock      PostgreSQL's now() and the carrier's books, wound by hand      province   units, staff, clients and campaigns, as they are at the start
    crew       the send worker and the clock, in processes that wait for orders   staff  books, moves and cancels appointments, closes flags
    network    the fake carrier: reports and texts in, posted to the real webhook  faults   what goes wrong, when, by the seed
    town       clients, what they do and when     words    what they write        ledger   invariants, by what each day added
    year       day by day, all of it together     places     I5: logs, Valkey, addresses
    table      what is printed at the end         history    what happened to one client, when something does not hold
"""
