"""What happens to a ledger when the machine, the disk, the process or a person lets it down."""
