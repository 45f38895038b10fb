"""Work that outlives a run: tasks, questions to a person, claims, effects."""
