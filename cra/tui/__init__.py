"""The trace viewer: `cra trace tui`. Whoever imports it imports Textual; the command line does so
only for that command."""
