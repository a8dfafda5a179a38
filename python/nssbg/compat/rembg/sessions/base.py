"""`BaseSession`: what rembg's users subclass for a network of their own.

Only what concerns every session: names, folders, the network behind it. The named sessions, which
know how their networks are fed, are in `named`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nssbg._errors import OptionError
from nssbg._ops.rembg_steps import Triple, input_tensor
from nssbg._runtime.plain_session import PlainSession

__all__ = ["BaseSession"]


class BaseSession:
    """A model held open; `predict` gives the masks of an image.

    Attributes:
        model_name: As given to `new_session`.
        inner_session: The network: run(None, feeds), get_inputs(), get_providers(), as
            onnxruntime.InferenceSession has them. Opened when it is first used.

    Args:
        model_name: What to call it.
        sess_opts: onnxruntime.SessionOptions, or None.
        args: Handed to download_models.
        kwargs: `providers` (a list of names, or of pairs of a name and options); others are
            handed to download_models.
    """

    def __init__(
        self, model_name: str = "", sess_opts: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        self.model_name = model_name
        self._providers: list[Any] | None = None
        if isinstance(kwargs.get("providers"), (list, tuple)):
            self._providers = list(kwargs.pop("providers"))
        self._threads = int(getattr(sess_opts, "intra_op_num_threads", 0) or 0)
        path = type(self).download_models(*args, **kwargs)
        self.inner_session: Any = PlainSession(
            path, providers=self._providers, threads=self._threads, options=sess_opts
        )

    def normalize(
        self,
        img: Any,
        mean: Triple,
        std: Triple,
        size: tuple[int, int],
        *args: Any,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """An image as the network's feeds: its first input's name -> 1 x 3 x height x width.

        Args:
            img: A PIL image.
            mean: Per channel, after scaling by the image's own largest value.
            std: Per channel.
            size: Width and height.
            args: Not used.
            kwargs: Not used.
        """
        return {self.inner_session.get_inputs()[0].name: input_tensor(img, mean, std, size)}

    def predict(self, img: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """The masks of a PIL image: PIL images of mode L and of its size."""
        raise NotImplementedError

    @classmethod
    def name(cls, *args: Any, **kwargs: Any) -> str:
        """What `new_session` knows it by."""
        raise NotImplementedError

    @classmethod
    def download_models(cls, *args: Any, **kwargs: Any) -> str:
        """The path to its weights, pulled if they are not here."""
        raise NotImplementedError

    @classmethod
    def is_local(cls, *args: Any, **kwargs: Any) -> bool:
        """Whether it runs on this machine: always, here."""
        return True

    @classmethod
    def requires_credentials(cls, *args: Any, **kwargs: Any) -> bool:
        """Whether it needs a key of some service: never, here."""
        return False

    @classmethod
    def has_usage_cost(cls, *args: Any, **kwargs: Any) -> bool:
        """Whether each image is billed: never, here."""
        return False

    @classmethod
    def checksum_disabled(cls, *args: Any, **kwargs: Any) -> bool:
        """Whether MODEL_CHECKSUM_DISABLED is set: weights are then taken as they lie there."""
        return os.environ.get("MODEL_CHECKSUM_DISABLED") is not None

    @classmethod
    def legacy_home(cls, *args: Any, **kwargs: Any) -> str:
        """The flat folder of older versions: U2NET_HOME, else .u2net; only read."""
        base = os.environ.get("XDG_DATA_HOME", "~")
        folder = os.environ.get("U2NET_HOME", os.path.join(base, ".u2net"))  # noqa: PTH118
        return os.path.expanduser(folder)  # noqa: PTH111

    @classmethod
    def rembg_home(cls, *args: Any, **kwargs: Any) -> str:
        """rembg's folder: U2NET_HOME, else REMBG_HOME, else below XDG_DATA_HOME, else ~/.rembg."""
        if os.environ.get("U2NET_HOME"):
            return cls.legacy_home()
        data = os.environ.get("XDG_DATA_HOME")
        default = os.path.join(data, "rembg") if data else "~/.rembg"  # noqa: PTH118
        return os.path.expanduser(os.environ.get("REMBG_HOME", default))  # noqa: PTH111

    @classmethod
    def u2net_home(cls, *args: Any, **kwargs: Any) -> str:
        """An older name of rembg_home."""
        return cls.rembg_home()

    @classmethod
    def model_dir(cls, *args: Any, **kwargs: Any) -> str:
        """The folder of this model's files in rembg's folder."""
        return os.path.join(cls.rembg_home(), "models", cls.name())  # noqa: PTH118

    @classmethod
    def resolve_existing(cls, fname: str, *args: Any, **kwargs: Any) -> str | None:
        """Where rembg has stored a file of that name, or None."""
        for folder in (cls.model_dir(), cls.legacy_home()):
            path = os.path.join(folder, fname)  # noqa: PTH118
            if Path(path).exists():
                return path
        return None

    @classmethod
    def validate_model_path(cls, *args: Any, **kwargs: Any) -> str:
        """The `model_path` given, absolute, where it lies within rembg's folders.

        For servers that take such a path from a request.

        Raises:
            OptionError (a ValueError): It does not, or none was given.
        """
        given = kwargs.get("model_path")
        if given is None:
            raise OptionError("model_path is required")
        path = os.path.abspath(os.path.expanduser(str(given)))  # noqa: PTH100, PTH111
        homes = [os.path.abspath(cls.rembg_home()), os.path.abspath(cls.legacy_home())]  # noqa: PTH100
        if any(path == home or path.startswith(home + os.sep) for home in homes):
            return path
        raise OptionError(f"model_path must be within the models directory: {homes[0]}; got {path}")
