"""What commands print with `--json`, as types: mypy holds the commands to them, and `cra schema`
turns them into JSON Schema.

A module has the answers of a group of commands: `…Answer` is a whole one, `…Facts` is a part. The
answers of CARP are in `cra.protocol.carp`. Commands import them for mypy alone.
"""
