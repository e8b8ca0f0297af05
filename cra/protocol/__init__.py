"""What cra's formats are made of: event types, their payloads and their schemas."""
