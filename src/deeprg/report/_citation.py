"""One cited source and its BibTeX entry."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Citation", "arxiv", "software"]


@dataclass(frozen=True)
class Citation:
    """One source: its BibTeX key, what it is cited for, and the fields of the entry.

    >>> from deeprg.report.citations import CITATIONS
    >>> CITATIONS["kaufman1949"].reference
    'B. Kaufman, Crystal Statistics. II, Phys. Rev. 76, 1232 (1949)'
    """

    key: str
    used_for: str
    kind: str
    fields: Mapping[str, str]

    @property
    def reference(self) -> str:
        """The source in one line of text."""
        get = self.fields.get
        names = self.fields["author"].replace("{", "").replace("}", "").split(" and ")
        who = ", ".join(_short(name) for name in names[:3]) + (" et al." if len(names) > 3 else "")
        title = self.fields.get("shorttitle", self.fields["title"])
        if get("journal"):
            return f"{who}, {title}, {get('journal')} {get('volume')}, {get('pages')} ({get('year')})"
        place = f"arXiv:{get('eprint')}" if get("eprint") else get("url", get("booktitle", ""))
        return f"{who}, {title}, {place} ({get('year')})"

    @property
    def bibtex(self) -> str:
        """The BibTeX entry."""
        lines = [f"  {name} = {{{value}}}," for name, value in self.fields.items() if name != "shorttitle"]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])


def _short(name: str) -> str:
    family, comma, given = name.partition(", ")
    initials = " ".join(f"{part[0]}." for part in given.split())
    return f"{initials} {family}" if comma else name


def arxiv(key: str, used_for: str, author: str, title: str, year: int, eprint: str, **more: str) -> Citation:
    fields = {"author": author, "title": title, "year": str(year), "eprint": eprint, "archivePrefix": "arXiv"}
    return Citation(key, used_for, "article", {**fields, **more})


def software(key: str, used_for: str, author: str, title: str, year: int, url: str) -> Citation:
    fields = {"author": author, "title": title, "year": str(year), "url": url}
    return Citation(key, used_for, "software", fields)
