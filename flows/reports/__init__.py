"""Reports: the model, the sections that agents' results become, and their form as Markdown."""
