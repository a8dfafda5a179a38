"""Published architectures with random weights, as ONNX files made with the onnx package alone.

In: an architecture's name. Out: a file with the operators, sizes and parameters of the published
one, so that its time and memory can be measured before a download. Its alphas mean nothing.
"""

from nssbg.bench.synthetic.make import ARCHITECTURES, Architecture, build, describe, make

__all__ = ["ARCHITECTURES", "Architecture", "build", "describe", "make"]
