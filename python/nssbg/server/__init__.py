"""`nssbg serve`: the engine over HTTP, under three APIs."""
