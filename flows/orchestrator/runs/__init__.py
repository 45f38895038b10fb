"""The life of a run: started once, cut off, dead, run again."""
