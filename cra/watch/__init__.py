"""A project as it stands: one look at all that decides in it, and looks that follow its changes."""
