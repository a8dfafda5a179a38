"""A CUDA device that is not there: onnxruntime's session and tensors as such a device has them.

What it computes the CPU provider computes. What it adds is what code for devices can get wrong:
tensors lie in the device's memory or the host's, every crossing is counted, a tensor of the wrong
place, shape or type is refused, memory is bounded.
"""

from __future__ import annotations

import numpy as np


class DoubleError(Exception):
    """What the real device would refuse."""


class Gpu:
    """The device: its memory, and what crossed to and from it."""

    def __init__(self, monkeypatch, *, provider="CUDAExecutionProvider", memory=1 << 30):
        import onnxruntime

        self.memory, self.used, self.peak = memory, 0, 0
        self.to_device: list[tuple[int, ...]] = []
        self.to_host: list[tuple[int, ...]] = []
        self.runs: list[tuple[int, ...]] = []
        self.opened: list[list[str]] = []
        self.fails = 0  # the next runs that fail as a device does
        gpu, real = self, onnxruntime.InferenceSession

        class Value:
            """An OrtValue in the device's memory."""

            def __init__(self, array):
                gpu.used += array.nbytes
                gpu.peak = max(gpu.peak, gpu.used)
                if gpu.used > gpu.memory:
                    gpu.used -= array.nbytes
                    self.size = 0
                    raise DoubleError("CUDA failure 2: out of memory")
                self.size, self.array = array.nbytes, array.copy()

            def __del__(self):
                gpu.used -= self.size

            @staticmethod
            def ortvalue_from_numpy(array, device_type="cpu", device_id=0):
                if (device_type, device_id) != ("cuda", 0):
                    raise DoubleError(f"no such memory: {device_type}:{device_id}")
                gpu.to_device.append(array.shape)
                return Value(array)

            def update_inplace(self, array):
                if (array.shape, array.dtype) != (self.array.shape, self.array.dtype):
                    raise DoubleError(f"{array.shape} {array.dtype} into {self.array.shape}")
                if not array.flags.c_contiguous:
                    raise DoubleError("not contiguous")
                gpu.to_device.append(array.shape)
                self.array[...] = array

            def numpy(self):
                gpu.to_host.append(self.array.shape)
                return self.array.copy()

        class Binding:
            def __init__(self):
                self.source = self.target = self.name = None
                self.ready = self.done = False

            def bind_cpu_input(self, name, array):
                raise DoubleError("bound in the host's memory: a copy that nobody sees")

            def bind_ortvalue_input(self, name, value):
                self.source = value

            def bind_output(self, name, device_type="cpu", device_id=0):
                if (device_type, device_id) != ("cuda", 0):
                    raise DoubleError(f"no such memory: {device_type}:{device_id}")
                self.name = name

            def bind_ortvalue_output(self, name, value):
                self.name, self.target = name, value

            def synchronize_inputs(self):
                self.ready = True

            def synchronize_outputs(self):
                self.done = True

            def get_outputs(self):
                if not self.done:
                    raise DoubleError("read before the device was done")
                return [self.target]

        class Session:
            def __init__(self, path, *, sess_options, providers):
                gpu.opened.append(list(providers))
                self.real = real(path, sess_options=sess_options, providers=[providers[-1]])

            def __getattr__(self, name):
                return getattr(self.real, name)

            def get_providers(self):
                return [provider, "CPUExecutionProvider"]

            def io_binding(self):
                return Binding()

            def run_with_iobinding(self, binding, options):
                if not binding.ready:
                    raise DoubleError("run before the inputs were there")
                if gpu.fails:
                    gpu.fails -= 1
                    raise DoubleError("CUDA failure 700: an illegal memory access")
                data = binding.source.array
                gpu.runs.append(data.shape)
                name = self.real.get_inputs()[0].name
                (found,) = self.real.run([binding.name], {name: data})
                if binding.target is None:
                    binding.target = Value(found)
                elif binding.target.array.shape != found.shape:
                    raise DoubleError(f"{found.shape} into {binding.target.array.shape}")
                else:
                    binding.target.array[...] = found

        there = [provider, "CPUExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
        monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
        monkeypatch.setattr(onnxruntime, "OrtValue", Value)


def device_tensor(count, size=(32, 48), seed=0):
    """Images as a network is fed."""
    return np.random.default_rng(seed).normal(size=(count, 3, *size)).astype(np.float32)
