"""Purchase orders: what was proposed, let, sent, confirmed and received, and what came of it."""
