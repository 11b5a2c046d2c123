"""One carrier, one file. A channel makes requests and reads answers; it does no I/O and knows no other."""
