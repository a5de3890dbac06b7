"""Makes what the documentation shows from what the package is, and checks the built site.

`python -m press` writes the figures, the page of the command line, the page of the rooms and the
schemas into `docs/`. They are committed, so that pages read well in the repository, too;
`tests/test_press.py` fails when one of them is not what would be written now.
`python -m press.links DIRECTORY` follows every link of a site that was built there.
"""
