"""Which npm registry this user asks, and with what credentials: npm's own configuration.

In: the environment (`npm_config_*`, in any case) and the files that npm reads, in npm's order: the
environment, the project's .npmrc, the user's, the installation's. Out: the registry's address for
a package, and the Authorization header for an address.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nssbg._errors import ModelError

__all__ = ["PUBLIC", "NpmConfig", "read_npm_config"]

PUBLIC = "https://registry.npmjs.org"

_PREFIX = "npm_config_"
_VARIABLE = re.compile(r"(?<!\\)\$\{([^${}?]+)(\?)?\}")
# Variables that a project's file may have expanded: a folder of somebody else's must not be able
# to send any other variable of this environment to a host that it names.
_CREDENTIALS = re.compile(r"NPM_[A-Z0-9_]+|NODE_AUTH_TOKEN")


@dataclass(frozen=True)
class NpmConfig:
    """What was configured, the first to be asked first.

    Attributes:
        layers: Keys and values: of the environment, the project, the user, the installation.
    """

    layers: tuple[Mapping[str, str], ...]

    def get(self, key: str) -> str:
        """The value that counts, or ""."""
        return next((layer[key] for layer in self.layers if layer.get(key)), "")

    def _registry(self, scope: str) -> urllib.parse.SplitResult:
        found = (scope and self.get(f"{scope}:registry")) or self.get("registry")
        try:
            return urllib.parse.urlsplit((found or PUBLIC).strip().rstrip("/"))
        except ValueError as error:
            raise ModelError(f"npm's registry is {found!r}, expected an address: {error}") from None

    def registry(self, scope: str = "") -> str:
        """The address of the registry for packages of a scope ("@imgly"), no slash at its end.

        A user and a password in it are left out: messages show addresses.

        Raises:
            ModelError: What is configured is no address.
        """
        parts = self._registry(scope)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def authorization(self, url: str, scope: str = "") -> str:
        """The Authorization header for an address, or "" where nothing is configured for it.

        Credentials are kept by host and path (`//host/path/:_authToken`); the longest path that
        holds the address counts, as in npm. A user and a password in the registry's own address
        count for its host.

        Raises:
            ModelError: What is configured cannot be sent.
        """
        found = self._authorization(url, scope)
        if not (found.isascii() and found.isprintable()):
            host = urllib.parse.urlsplit(url).netloc
            raise ModelError(
                f"the npm credentials that are configured for {host} hold characters that no "
                "header carries; look at the _authToken in .npmrc, or at the variable it names"
            )
        return found

    def _authorization(self, url: str, scope: str) -> str:
        parts = urllib.parse.urlsplit(url)
        own = self._registry(scope)
        if own.username and own.password and own.netloc.rpartition("@")[2] == parts.netloc:
            return _basic(urllib.parse.unquote(own.username), urllib.parse.unquote(own.password))
        path = parts.path.rpartition("/")[0] + "/"
        while True:
            key = f"//{parts.netloc.rpartition('@')[2]}{path}"
            token = self.get(f"{key}:_authToken").strip()
            if token:
                return f"Bearer {token}"
            basic = self.get(f"{key}:_auth")
            if basic:
                return f"Basic {basic}"
            user, password = self.get(f"{key}:username"), self.get(f"{key}:_password")
            if user and password:
                try:
                    return _basic(user, base64.b64decode(password).decode())
                except ValueError:  # not base64 of text
                    return ""
            if path in ("/", ""):
                return ""
            path = path.rstrip("/").rpartition("/")[0] + "/"


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _expanded(value: str, *, only: re.Pattern[str] | None) -> str:
    """The value with ${NAME} replaced; one that is not set stays, `${NAME?}` is empty then."""

    def replaced(match: re.Match[str]) -> str:
        name, optional = match[1], bool(match[2])
        if only is not None and not only.fullmatch(name):
            return match[0]
        return os.environ.get(name, "" if optional else match[0])

    return _VARIABLE.sub(replaced, value)


def _file(path: Path | None, *, only: re.Pattern[str] | None = None) -> dict[str, str]:
    """The keys of an .npmrc; one that is not there or cannot be read has none."""
    found: dict[str, str] = {}
    if path is None:
        return found
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError):
        return found
    for line in text.splitlines():
        key, separator, value = line.strip().partition("=")
        if not separator or key.startswith((";", "#")):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[_expanded(key.strip(), only=only)] = _expanded(value, only=only)
    return found


def _environment() -> dict[str, str]:
    """npm's keys in the environment; names there are in any case, with _ for -."""
    found: dict[str, str] = {}
    for name, value in os.environ.items():
        if value and name.lower().startswith(_PREFIX):
            key = name[len(_PREFIX) :]
            if not key.startswith("//"):
                key = key[:1] + key[1:].replace("_", "-")
                key = key.lower()
            found[key] = value
    return found


def _project() -> Path | None:
    """The .npmrc of the project that the working folder lies in, as npm finds it."""
    try:
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / "package.json").is_file() or (folder / "node_modules").is_dir():
                return folder / ".npmrc"
        return here / ".npmrc"
    except OSError:  # the working folder is gone
        return None


def _home_file() -> Path | None:
    try:
        return Path.home() / ".npmrc"
    except RuntimeError:  # a user without a home
        return None


def _installation() -> Iterator[Path]:
    """Where npm keeps what holds for all users: below its prefix, on Debian in /etc."""
    node = shutil.which("node")
    if node:
        yield Path(node).parent.parent / "etc" / "npmrc"
    yield Path("/etc/npmrc")


def read_npm_config() -> NpmConfig:
    """npm's configuration as this process's user and working folder have it."""
    environment = _environment()
    user = Path(environment["userconfig"]) if "userconfig" in environment else _home_file()
    project = _project()
    if project is not None and project == user:
        project = None  # in the home folder itself the file is the user's
    installation = (
        [Path(environment["globalconfig"])]
        if "globalconfig" in environment
        else list(_installation())
    )
    return NpmConfig(
        (
            environment,
            _file(project, only=_CREDENTIALS),
            _file(user),
            *(_file(path) for path in installation),
        )
    )
