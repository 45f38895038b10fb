"""Is Prefect itself well? Its runs, what stands still in it, its database."""
