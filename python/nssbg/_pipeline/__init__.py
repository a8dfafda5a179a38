"""The stages in a row: for one picture, and for many at once under a memory bound."""
