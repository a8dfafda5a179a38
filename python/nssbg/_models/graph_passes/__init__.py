"""Rewrites of published graphs into equal ones that run faster. They need the onnx package."""
