"""This machine: files for one user alone, and processes that compute."""
