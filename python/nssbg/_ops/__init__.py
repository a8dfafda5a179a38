"""The stages as Python functions over the C++ core: prepare, studio, refine, decontaminate."""
