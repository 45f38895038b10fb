"""Processes of the stack: started, watched, restarted, ended."""
