"""Runtimes that run a network: a protocol of two methods and its implementations."""
