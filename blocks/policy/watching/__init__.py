"""What is watched, when that is trouble, and how people are told: a part of the policy."""
