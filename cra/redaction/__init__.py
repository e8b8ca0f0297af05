"""Redaction: what is secret in a text is found, and replaced in a value before it is written."""
