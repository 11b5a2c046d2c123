-- Who is on the guided tour: their pages show how far they are. What they have done is read from what was done.
ALTER TABLE staff ADD on_tour boolean NOT NULL DEFAULT false;
