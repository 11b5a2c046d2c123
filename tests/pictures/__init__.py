"""Pictures of the staff pages for the documentation: `make screenshots`.

An invented district lives a year on a virtual clock (`district`), has a morning with something of everything (`morning`), and
is looked at by a real browser (`camera`). Nothing is left to chance, so that what did not change gives the same bytes again.
"""
