"""Models as data: descriptions, the catalog, the store of weights, passes over graphs."""
