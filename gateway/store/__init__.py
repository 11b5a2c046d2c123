"""PostgreSQL, the truth. One file per noun; every function takes an open `base.Work`."""
