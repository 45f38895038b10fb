"""Runs, calls and what they carried: records, mailbox, leases, history."""
