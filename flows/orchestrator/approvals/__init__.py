"""Questions to a person: asked, told, answered."""
