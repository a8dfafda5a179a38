"""Public architectures with random weights, exported to ONNX for timing and node coverage."""
