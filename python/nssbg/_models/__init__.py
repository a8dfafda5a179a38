"""Models as data: catalog, store and the bundled network."""
