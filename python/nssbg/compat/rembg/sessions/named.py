"""rembg's named sessions, each a model of nssbg's catalog or a file of the user's own.

A session holds an `nssbg.Remover`; under NSSBG_COMPAT=exact, and for code that runs
`inner_session` itself, the network is opened a second time without nssbg's description.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from nssbg._color.depth import eight_bits
from nssbg._cutout import Cutout
from nssbg._errors import DeviceError, ModelError, OptionError
from nssbg._models.catalog import builtin_catalog, bundled_models, find_model
from nssbg._models.sidecar import ModelDescription, find_sidecar, read_sidecar
from nssbg._models.store import pull
from nssbg._ops.rembg_steps import Triple, mask_from_output
from nssbg._options import CutoutOptions
from nssbg._remover import Remover
from nssbg._runtime.plain_session import PlainSession
from nssbg._segment.opening import BUNDLED
from nssbg.compat.rembg.mode import is_exact
from nssbg.compat.rembg.providers import CPU_ONLY, place_of, providers_of, warn_of_cpu
from nssbg.compat.rembg.sessions.base import BaseSession

__all__ = ["SERVED", "AutoSession", "RemoverSession"]

_log = logging.getLogger("nssbg")

Result = TypeVar("Result")

_IMAGENET: tuple[Triple, Triple] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF: tuple[Triple, Triple] = ((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))


class RemoverSession(BaseSession):
    """A session on `nssbg.Remover`; see BaseSession for the arguments."""

    #: The model of nssbg's catalog that it stands for.
    catalog_name: ClassVar[str] = ""
    #: How rembg itself feeds the network: side of the square, mean and std; and reads it.
    side: ClassVar[int] = 320
    normalization: ClassVar[tuple[Triple, Triple]] = _IMAGENET
    is_logits: ClassVar[bool] = False

    def __init__(
        self, model_name: str = "", sess_opts: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(model_name or type(self).name(), sess_opts, *args, **kwargs)
        self._place = place_of(self._providers)
        # Kept here too: subclasses may put another network in its place.
        self._network: PlainSession = self.inner_session
        self._remover = self._open()

    def _open(self) -> Remover:
        model = type(self)._described(self._network.path)
        place = self._place
        return Remover(model, device=place.device, backend=place.backend, threads=self._threads)

    @classmethod
    def description(cls) -> ModelDescription | str:
        """What `nssbg.Remover` takes for its model; weights that are not here are pulled."""
        return cls._described(Path(cls.download_models()))

    @classmethod
    def has_weights(cls) -> bool:
        """Whether its weights are on this machine, so that nothing would be pulled."""
        if cls.checksum_disabled() and cls.resolve_existing(f"{cls.name()}.onnx") is not None:
            return True
        return find_model(cls.catalog_name).path is not None

    @classmethod
    def _described(cls, path: Path) -> ModelDescription | str:
        """How nssbg feeds the file: its sidecar's word, else as the catalog's model."""
        sidecar = find_sidecar(path)
        if sidecar is not None:
            return read_sidecar(sidecar, weights=path)
        return replace(builtin_catalog()[cls.catalog_name], file=path.name, path=path)

    def cutout(self, image: Any, **options: Any) -> Cutout:
        """nssbg's own cut-out of an image; an accelerator that fails is told of and left.

        Args:
            image: As `nssbg.Remover.cutout` takes it.
            options: Of `nssbg._options.CutoutOptions`.
        """
        chosen = CutoutOptions(**options)
        found = self._placed(lambda: self._remover._cut_out(image, chosen))
        self._network.told_providers = providers_of(found.plan)
        return found

    def _placed(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except DeviceError as error:
            if not self._place.provider:
                raise
            warn_of_cpu(self._place.provider, str(error))
            self._place = CPU_ONLY
            self._remover = self._open()
            return work()

    def predict(self, img: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """The mask of a PIL image, refined to its size; exactly rembg's under NSSBG_COMPAT=exact.

        Args:
            img: A PIL image, upright.
            args: Not used.
            kwargs: Not used.

        Returns:
            One PIL image of mode L.
        """
        if is_exact():
            return self._exact(img)
        from PIL import Image

        found = self.cutout(img, alpha_only=True, ignore_alpha=True)
        alpha = found.alpha if found.alpha.dtype.itemsize == 1 else eight_bits(found.alpha)
        return [Image.fromarray(alpha.astype("uint8"))]

    def _exact(self, img: Any) -> list[Any]:
        feeds = self.normalize(img, *self.normalization, (self.side, self.side))
        output = self.inner_session.run(None, feeds)[0]
        return [mask_from_output(output, img.size, sigmoid=self.is_logits)]

    @classmethod
    def download_models(cls, *args: Any, **kwargs: Any) -> str:
        """The path to the weights, pulled if they are not on this machine.

        What rembg has stored is used where it lies, once its checksum was compared; with
        MODEL_CHECKSUM_DISABLED, as it is.

        Raises:
            ModelError: They are not here and cannot be pulled.
            LicenseError: Their licence was refused.
        """
        if cls.checksum_disabled():
            there = cls.resolve_existing(f"{cls.name()}.onnx")
            if there is not None:
                return there
        return str(pull(builtin_catalog()[cls.catalog_name]))


class AutoSession(RemoverSession):
    """nssbg's own default: the studio method or the bundled network, whichever fits the image."""

    @classmethod
    def name(cls, *args: Any, **kwargs: Any) -> str:
        """Not one of rembg's names."""
        return "auto"

    @classmethod
    def download_models(cls, *args: Any, **kwargs: Any) -> str:
        """The bundled network's path: nothing is pulled."""
        return str(bundled_models()[BUNDLED].path)

    @classmethod
    def _described(cls, path: Path) -> ModelDescription | str:
        return "auto"

    def _exact(self, img: Any) -> list[Any]:
        raise OptionError(
            "NSSBG_COMPAT=exact gives rembg's own pixels, and this session is nssbg's default, "
            "which rembg has not; name a model: new_session('u2net')"
        )


class _OwnFileSession(RemoverSession):
    """A network of the user's own, fed as a family of networks is."""

    def __init__(
        self, model_name: str = "", sess_opts: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        if kwargs.get("model_path") is None:
            raise OptionError(f"model_path is required: the .onnx file of {type(self).name()}")
        super().__init__(model_name, sess_opts, *args, **kwargs)

    @classmethod
    def download_models(cls, *args: Any, **kwargs: Any) -> str:
        """The file named by `model_path`, absolute.

        Raises:
            OptionError (a ValueError): None is named.
            ModelError: There is no such file.
        """
        given = kwargs.get("model_path")
        if given is None:
            raise OptionError(f"model_path is required: the .onnx file of {cls.name()}")
        path = Path(given).expanduser().absolute()
        if not path.is_file():
            raise ModelError(f"model_path {path}: no such file; expected .onnx weights")
        return str(path)

    @classmethod
    def _described(cls, path: Path) -> ModelDescription | str:
        sidecar = find_sidecar(path)
        if sidecar is not None:
            return read_sidecar(sidecar, weights=path)
        mean, std = cls.normalization
        return ModelDescription(
            name=cls.name(), file=path.name, height=cls.side, width=cls.side, mean=mean, std=std,
            filter="lanczos", range="minmax", path=path,
        )  # fmt: skip


class _NotServedSession(RemoverSession):
    """A name of rembg's that nssbg has nothing for; opening it says what to use."""

    alternative: ClassVar[str] = ""

    def __init__(
        self, model_name: str = "", sess_opts: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        type(self).download_models()

    @classmethod
    def download_models(cls, *args: Any, **kwargs: Any) -> str:
        """Always an error.

        Raises:
            OptionError (a ValueError): It names the alternative.
        """
        raise OptionError(f"nssbg does not serve the model {cls.name()!r}: {cls.alternative}")


def _session(
    class_name: str, name: str, *, base: type[RemoverSession] = RemoverSession, **values: Any
) -> type[RemoverSession]:
    """One of rembg's session classes."""

    def name_of(cls: type, *args: Any, **kwargs: Any) -> str:
        """What `new_session` knows it by."""
        return name

    body = {
        "__doc__": f"rembg's session of the name {name}.",
        "__module__": __name__,
        "catalog_name": name,
        "name": classmethod(name_of),
        **values,
    }
    return type(class_name, (base,), body)


def _sigmoid(self: RemoverSession, mat: Any) -> Any:
    """1 / (1 + exp(-mat)), for subclasses that read the network's output themselves."""
    import numpy as np

    return 1 / (1 + np.exp(-mat))


class _HalfPrecision(RemoverSession):
    """rembg converts birefnet-general to float16 itself; here its float32 weights run."""

    @classmethod
    def download_models(cls, *args: Any, **kwargs: Any) -> str:
        """The path to the weights of birefnet-general."""
        _log.warning("%s: the float32 weights of birefnet-general are used", cls.name())
        return super().download_models(*args, **kwargs)


_U2NET: dict[str, Any] = {"side": 320}
_BIREFNET: dict[str, Any] = {"side": 1024, "is_logits": True, "sigmoid": _sigmoid}
_DIS: dict[str, Any] = {"side": 1024, "normalization": _HALF}

_GENERAL = _session("BiRefNetSessionGeneral", "birefnet-general", **_BIREFNET)


def _birefnet(class_name: str, name: str) -> type[RemoverSession]:
    return _session(class_name, name, base=_GENERAL)


#: rembg's module -> its class, in rembg's order.
SERVED: dict[str, type[RemoverSession]] = {
    "birefnet_general": _GENERAL,
    "birefnet_general_lite": _birefnet("BiRefNetSessionGeneralLite", "birefnet-general-lite"),
    "birefnet_general_fp16": type(
        "BiRefNetSessionGeneralFP16",
        (
            _HalfPrecision,
            _session("_FP16", "birefnet-general-fp16", base=_GENERAL,
                     catalog_name="birefnet-general"),
        ),
        {"__doc__": "rembg's session of the name birefnet-general-fp16.", "__module__": __name__},
    ),
    "birefnet_portrait": _birefnet("BiRefNetSessionPortrait", "birefnet-portrait"),
    "birefnet_dis": _birefnet("BiRefNetSessionDIS", "birefnet-dis"),
    "birefnet_hrsod": _birefnet("BiRefNetSessionHRSOD", "birefnet-hrsod"),
    "birefnet_cod": _birefnet("BiRefNetSessionCOD", "birefnet-cod"),
    "birefnet_massive": _birefnet("BiRefNetSessionMassive", "birefnet-massive"),
    "dis_anime": _session(
        "DisSession", "isnet-anime", side=1024,
        normalization=((0.485, 0.456, 0.406), (1.0, 1.0, 1.0)),
    ),
    "dis_custom": _session("DisCustomSession", "dis_custom", base=_OwnFileSession, **_DIS),
    "dis_general_use": _session("DisSession", "isnet-general-use", **_DIS),
    "sam": _session(
        "SamSession", "sam", base=_NotServedSession,
        alternative="prompts of points and boxes are not taken yet; cut out the whole subject "
        "with 'isnet-general-use' or 'birefnet-general', on a crop of the image",
    ),
    "silueta": _session("SiluetaSession", "silueta", **_U2NET),
    "u2net_cloth_seg": _session(
        "Unet2ClothSession", "u2net_cloth_seg", base=_NotServedSession,
        alternative="its three classes of clothing are no alpha of one subject; for people use "
        "'u2net_human_seg' or 'birefnet-portrait'",
    ),
    "u2net_custom": _session("U2netCustomSession", "u2net_custom", base=_OwnFileSession),
    "u2net_human_seg": _session("U2netHumanSegSession", "u2net_human_seg",
                                catalog_name="u2net-human-seg"),
    "u2net": _session("U2netSession", "u2net", **_U2NET),
    "u2netp": _session("U2netpSession", "u2netp", **_U2NET),
    "bria_rmbg": _session("BriaRmBgSession", "bria-rmbg", catalog_name="rmbg-2.0", side=1024),
    "ben_custom": _session("BenCustomSession", "ben_custom", base=_OwnFileSession, **_DIS),
}  # fmt: skip
