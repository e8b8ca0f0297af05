"""What makes the pages in docs/ a site that says what they say in the repository.

A link such as `../../specs/PROTOCOL.md` leads to a file outside of docs/. On the site that file is
added under its path, so the same link holds there; of a folder, a page that lists what is in it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File, InclusionLevel

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_ROOT: Final = Path(__file__).parents[1]
_LINK: Final = re.compile(r"(?<=\]\()[^)#\s:]+")
_CELL: Final = re.compile(r"<td[ >].*?</td>", re.DOTALL)
# Above docs/, as mkdocs sees a page of its.
_ABOVE: Final = "../"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what is linked to outside of docs/. A link to nothing is left for --strict to find."""
    waiting = [file for file in files if file.is_documentation_page()]
    while waiting:
        page = waiting.pop()
        for link in _LINK.findall(page.content_string):
            path = _outside(page.src_uri, link)
            if path and files.get_file_from_path(_ABOVE + path) is None:
                added = _added(path, config)
                files.append(added)
                waiting += [added] if added.is_documentation_page() else []
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """A link to a folder leads to the page that stands for it."""

    def led(link: re.Match[str]) -> str:
        path = _outside(page.file.src_uri, link[0])
        is_folder = path is not None and link[0].endswith("/")
        return link[0] + posixpath.basename(path or "") if is_folder else link[0]

    return _LINK.sub(led, markdown)


def on_page_content(html: str, **_: object) -> str:
    r"""In a table `\|` is a bar, in code as well: GitHub has it so, Python-Markdown has not."""
    return _CELL.sub(lambda cell: cell[0].replace(r"\|", "|"), html)


def _outside(source: str, link: str) -> str | None:
    """The path in the repository of what a page links to; None if that is in docs/, or nothing."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    path = target.removeprefix(_ABOVE)
    # What leads out of the repository as well is no link that a reader of it can follow.
    if path == target or path.startswith(_ABOVE):
        return None
    if link.endswith("/") and (_ROOT / path).is_dir():
        own = "README.md" if (_ROOT / path / "README.md").is_file() else "index.md"
        return f"{path}/{own}"
    return path if (_ROOT / path).is_file() else None


def _added(path: str, config: MkDocsConfig) -> File:
    """A file of the repository, known by its place beside docs/ and put at its path in the site."""
    placed = File(path, None, config.site_dir, config.use_directory_urls)
    added = File(
        _ABOVE + path,
        config.docs_dir,
        config.site_dir,
        config.use_directory_urls,
        dest_uri=placed.dest_uri,
        inclusion=InclusionLevel.NOT_IN_NAV,
    )
    if not (_ROOT / path).exists():
        added.content_string = "\n".join(_listing(posixpath.dirname(path)))
    return added


def _listing(folder: str) -> Iterator[str]:
    """A page that leads to what is in a folder."""
    yield f"# {folder}\n"
    for entry in sorted((_ROOT / folder).iterdir()):
        if not entry.name.startswith((".", "__")):
            name = f"{entry.name}/" if entry.is_dir() else entry.name
            yield f"- [{name}]({name})"
