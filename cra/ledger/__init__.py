"""TRACE: the hash-chained, crash-safe ledger under `cra.trace/` (specs/PROTOCOL.md).

`Ledger` writes, `verify` judges, `LedgerFile` reads.
"""
