"""Which files of web/ are the studio page, as CMakeLists.txt installs them into the wheel."""

_KINDS = {".html", ".js", ".css", ".svg", ".webmanifest"}
_APART = {"core", "dist", "node_modules", "npm", "site", "wasm"}


def of_the_page(folder):
    """The page's files in a folder, by their path there.

    The engine in the browser and the tests' own are not among them.
    """
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.suffix in _KINDS
        and path.name not in {"mock.js", "wasm.js", "wasm-worker.js"}
        and not _APART & set(path.relative_to(folder).parts)
    }
