#!/usr/bin/env python3
"""api-reference.py FOLDER: pages about all that docs/faces.txt names, made by pdoc from the docstrings.

A warning of pdoc is an error, and so are a link that leads nowhere, and a name, class, function or method without a
docstring. All of these are listed before the program ends.
"""

import ast
import inspect
import re
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pdoc
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from pdoc import doc, render, render_helpers
from pydantic_core import PydanticUndefined

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = "fake_dra_driver"
FOOTER = f"{PACKAGE.replace('_', '-')} {import_module(PACKAGE).__version__}"
SPAN = '<span class="n">'
MODULES = re.compile(
    rf'(?<![\w./#"])(?:(?:[a-z_]\w*\.)+|(?:{SPAN}[a-z_]\w*</span><span class="o">\.</span>)+{SPAN})(?=[A-Z])'
)
"""What stands before the name of a class in a signature, in colour or not."""
BLOCK = re.compile(r"::\n\n((?:(?: {4}.*)?\n)+)")
"""What reStructuredText calls a literal block: two colons, then lines that are indented."""


def faces() -> list[str]:
    """The modules in docs/faces.txt, whose lines are not indented."""
    lines = (PROJECT / "docs/faces.txt").read_text().splitlines()
    return [line for line in lines if re.match(r"\w", line)]


def homes(face: ModuleType) -> Mapping[str, str]:
    """By name: the module that a face imports it from."""
    imports = (node for node in ast.walk(ast.parse(inspect.getsource(face))) if isinstance(node, ast.ImportFrom))
    return {alias.name: node.module for node in imports if node.module for alias in node.names}


def read_face(name: str) -> doc.Module:
    """A face as pdoc sees it, with all its names, which are loaded when they are first asked for."""
    face = import_module(name)
    for exported in face.__all__:
        setattr(face, exported, getattr(face, exported))
    module = doc.Module(face)
    for exported, home in homes(face).items():
        # A value does not know where it comes from: its docstring stands in the module that defines it.
        if isinstance(module.members.get(exported), doc.Variable):
            module.members[exported].docstring = doc.Module(import_module(home)).members[exported].docstring
    for member in module.classes:
        if getattr(member.obj, "_is_protocol", False):
            member.members.pop("__init__", None)  # typing's, which says that there is none
        public = [base for base in member.bases if not base[1].startswith("_")]
        member.bases = [(home, base, re.sub(r"(?:\w+\.)+|~", "", text)) for home, base, text in public]
        for name, each in member.members.items():
            if isinstance(each, doc.Variable) and each.default_value is PydanticUndefined:
                each.default_value = doc.empty
            if each.taken_from[1].startswith("_"):  # from a base that is private: as if it were the class's own
                each.taken_from = (member.taken_from[0], f"{member.taken_from[1]}.{name}")
    return module


def documented(parent: doc.Namespace) -> Iterator[doc.Doc]:
    """All that has an entry below a module or class; what a class inherits has it where it comes from."""
    home, name = parent.taken_from
    for member in parent.members.values():
        own = isinstance(parent, doc.Module) or member.taken_from == (home, f"{name}.{member.name}")
        if own and not member.name.startswith("_"):
            yield member
            if isinstance(member, doc.Class):
                yield from documented(member)


def markdown(docstring: str) -> str:
    """With its literal blocks as Markdown has them; those of Python are to be in colour."""

    def fenced(match: re.Match[str]) -> str:
        code = dedent(match[1]).strip("\n")
        try:
            compile(code, "docstring", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            language = "python"
        except SyntaxError:
            language = ""
        return f":\n\n```{language}\n{code}\n```\n\n"

    return BLOCK.sub(fenced, f"{docstring}\n").rstrip("\n")


class Page(HTMLParser):
    """What a page of HTML can be linked by, and links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser's
        values = {name: value for name, value in attrs if value}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        self.links |= {values[name] for name in ("href", "src") if name in values}


def broken_links(folder: Path) -> Iterator[str]:
    """Links of the pages in a folder to pages or anchors that do not exist."""
    pages = {path: Page(path.read_text()) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        for link in sorted(page.links):
            target, _, anchor = link.partition("#")
            other = (path.parent / target).resolve() if target else path
            if "://" in link or link.startswith("data:"):
                continue
            if not other.is_file():
                yield f"{path.relative_to(folder)} links to {link}, which does not exist"
            elif anchor and anchor not in pages[other].anchors:
                yield f"{path.relative_to(folder)} links to {link}, and there is no such anchor"


@pass_context
def short(context: Context, code: str, namespace: str = "", shorten: bool = True) -> Markup:
    """pdoc's filter ``linkify``, with the classes in signatures as the sources name them: without their modules."""
    linked = render_helpers.linkify(context, code, namespace, shorten)
    return Markup(MODULES.sub(lambda match: SPAN if SPAN in match[0] else "", linked)) if shorten else linked


def build(folder: Path) -> list[str]:
    """Writes the pages, and says what is wrong with them."""
    modules = {name: read_face(name) for name in faces()}
    problems = []
    for module in modules.values():
        for each in (module, *documented(module)):
            is_field = isinstance(each, doc.Variable) and "." in each.qualname
            if not each.docstring.strip() and not is_field:
                problems.append(f"{each.fullname} has no docstring")
            each.docstring = markdown(each.docstring)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    render.env.filters["linkify"] = short
    render.configure(
        docformat="google",
        footer_text=FOOTER,
        show_source=False,
        template_directory=PROJECT / "hack/api-reference",
    )
    for name, module in modules.items():
        path = folder / f"{name.replace('.', '/')}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render.html_module(module=module, all_modules=modules))
    (folder / "index.html").write_text(render.html_index(modules))
    (folder / "search.js").write_text(render.search_index(modules))
    return [*problems, *broken_links(folder)]


def main() -> int:
    warnings.simplefilter("error")
    # Those are not shown: pdoc reads `list[X]` in a class that has a method `list` as that method.
    warnings.filterwarnings("ignore", message=r"Error parsing type annotation .*\._\w+:", category=UserWarning)
    folder = Path(sys.argv[1]).resolve()
    problems = build(folder)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{folder / 'index.html'}: made by pdoc {pdoc.__version__}, {len(problems)} problems")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
