-- What a carrier posted and we have forgotten, by a hash of the keyed hashes it was known by: posted again, it brings about nothing.
-- Without end; neither the phone nor the words can be found from it.

CREATE TABLE forgotten (
  hash bytea PRIMARY KEY
);
