"""The exceptions that nssbg raises, each with the exit code of its command line.

NssbgError                     anything nssbg raises on purpose            exit 1
├── ImageDecodeError           a picture that cannot be read               exit 3
├── ImageEncodeError           a picture that cannot be written            exit 4
├── ModelError                 a model that is unknown, missing or wrong   exit 5
│   └── LicenseError           weights whose licence was refused           exit 6
├── DeviceError                a device or runtime that is not there       exit 7
├── TimeLimitError             a picture that takes longer than it may     exit 1
├── ForkError                  a runtime that does not survive a fork      exit 7
└── OptionError (ValueError)   an argument outside what is allowed         exit 2

A message says what was wrong, what was expected and what to try; it names the file.
"""

from __future__ import annotations

__all__ = [
    "INTERRUPTED",
    "SOME_FAILED",
    "DeviceError",
    "ForkError",
    "ImageDecodeError",
    "ImageEncodeError",
    "LicenseError",
    "ModelError",
    "NssbgError",
    "OptionError",
    "TimeLimitError",
    "kind_of",
]


#: Exit code of a command that went through all of its files and names those that failed.
SOME_FAILED = 8
#: A shell's own convention for "ended by Ctrl-C".
INTERRUPTED = 130


class NssbgError(Exception):
    """Base of everything nssbg raises on purpose."""

    exit_code = 1


class OptionError(NssbgError, ValueError):
    """An argument outside what is allowed."""

    exit_code = 2


class ImageDecodeError(NssbgError):
    """A picture that cannot be read: truncated, empty, hostile, too large or no picture."""

    exit_code = 3


class ImageEncodeError(NssbgError):
    """A result that cannot be written in the format or to the place asked for."""

    exit_code = 4


class ModelError(NssbgError):
    """A model that is unknown, not on disk, damaged, or not what its description says."""

    exit_code = 5


class LicenseError(ModelError):
    """Weights whose licence does not allow the use that was asked for."""

    exit_code = 6


class DeviceError(NssbgError):
    """A device or runtime that was asked for and is not what would run."""

    exit_code = 7


class TimeLimitError(NssbgError):
    """A picture took longer than it may."""


class ForkError(NssbgError):
    """A process was forked, and what it asks for works only in one that was started anew.

    No DeviceError: another runtime is not taken in its place.
    """

    exit_code = 7


# What a failure is called in JSON, the command line's and the server's; the first that fits.
_KINDS = (
    (ImageDecodeError, "decode"),
    (ImageEncodeError, "encode"),
    (LicenseError, "license"),
    (ModelError, "model"),
    (DeviceError, "device"),
    (OptionError, "option"),
    (TimeLimitError, "time_limit"),
    (MemoryError, "memory"),
)


def kind_of(error: BaseException) -> str:
    """The word that an error is called by in JSON; "unexpected" where none fits."""
    return next((word for base, word in _KINDS if isinstance(error, base)), "unexpected")
