"""Whatever a page of the console says can be translated: every text of a template goes through gettext."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

from .tree import ROOT, SRC, tracked

TEMPLATES = sorted([*SRC.glob("console/templates/*.html"), *SRC.glob("packs/*/pages/*.html")])
SCRIPTS = sorted(SRC.glob("console/static/*.js"))
NAMES = re.compile(r"\b(?:UTC|kB|MB|GB|CSV|SQL|Isthmus|SKU|[a-z]+\.[a-z.]+ = [a-z]+)\b")  # the same in every language
SPOKEN = ("aria-label", "title", "placeholder", "alt")
UNSEEN = re.compile(
    r"{%-?\s*trans\b.*?endtrans\s*-?%}|{#.*?#}|<(script|style|pre|code)\b.*?</\1>|{%.*?%}|{{.*?}}|&\w+;", re.S
)
SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}|^[A-Z][a-z]+$")
SHOWS = ("tile", "column", "notice", "span", "line_picker", "head")  # macros whose texts are read


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_text_of_a_template_goes_through_gettext(path: Path) -> None:
    assert untranslatable(path.read_text()) == [], "write {{ _('…') }}, or {% trans %}…{% endtrans %} around values"


@pytest.mark.parametrize(
    "template",
    [
        "<p>No order fits.</p>",
        "<b>{{ count }} orders</b>",
        '<input placeholder="such as 42">',
        "{{ parts.tile('Orders', 3) }}",
        "<td>{{ 'not yet' if x else y }}</td>",
        "{{ x or 'nothing here' }}",
    ],
)
def test_a_text_that_does_not_is_found(template: str) -> None:
    assert len(untranslatable(template)) == 1


@pytest.mark.parametrize(
    "template",
    [
        "<p>{{ _('No order fits.') }}</p>",
        "<p>{% trans %}No <b>order</b> fits.{% endtrans %}</p>",
        "<input placeholder=\"{{ _('such as 42') }}\">",
        "{{ parts.tile(_('Orders'), 3) }} UTC, {{ size }} kB",
        "<code>isthmus data land</code>",
        "{% if x == 'part shipped' %}{{ x }}{% endif %}",
    ],
)
def test_a_text_that_does_is_not(template: str) -> None:
    assert untranslatable(template) == []


def untranslatable(template: str) -> list[str]:
    """Return the texts of a template that a reader sees as they are written."""
    markup = UNSEEN.sub("", template)
    spoken = [text for name in SPOKEN for text in re.findall(rf'\b{name}="([^"]*)"', markup)]
    plain = re.sub(r"<[^>]*>", "\n", markup).splitlines()
    found = [text.strip() for text in (*spoken, *plain) if re.search(r"[A-Za-z]{2,}", NAMES.sub("", text))]
    return [*found, *_written(template)]


def _written(template: str) -> list[str]:
    """Return sentences that stand in expressions and in what is given to macros, but for what gettext is given."""
    tree = jinja2.Environment(extensions=["jinja2.ext.i18n"]).parse(template)
    said = {id(text) for call in tree.find_all(nodes.Call) if _is_gettext(call) for text in call.find_all(nodes.Const)}
    for node in (*tree.find_all(nodes.Compare), *tree.find_all(nodes.Filter), *tree.find_all(nodes.Getitem)):
        arguments = [node] if isinstance(node, nodes.Compare) else getattr(node, "args", [getattr(node, "arg", None)])
        said |= {id(text) for one in arguments if one is not None for text in _consts(one)}
    shown = [text for call in tree.find_all(nodes.Call) if _shows(call) for text in call.args if _is_text(text)]
    shown += [text for part in tree.find_all(nodes.Output) for text in part.find_all(nodes.Const) if _is_text(text)]
    every = {id(text): text.value for text in shown if id(text) not in said}  # pyright: ignore[reportAttributeAccessIssue]
    return [text for text in every.values() if SENTENCE.search(NAMES.sub("", text))]


def _consts(node: nodes.Node) -> list[nodes.Const]:
    return [node] if isinstance(node, nodes.Const) else list(node.find_all(nodes.Const))


def _is_text(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _is_gettext(call: nodes.Call) -> bool:
    return isinstance(call.node, nodes.Name) and call.node.name in ("_", "gettext", "ngettext")


def _shows(call: nodes.Call) -> bool:
    return getattr(call.node, "attr", getattr(call.node, "name", "")) in SHOWS


def test_scripts_of_the_console_say_nothing_of_their_own() -> None:
    texts = [text for path in SCRIPTS for text in re.findall(r'"([^"\n]*)"|`([^`]*)`', path.read_text())]
    assert [one for pair in texts for one in pair if re.search(r"[A-Z][a-z]+ [a-z]+ [a-z]", one)] == []
    assert SCRIPTS != []
    assert ROOT in SRC.parents


DIALECT = {  # a phrase of ours → what the field says; names are held by `test_house`
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bnoughts?\b": "zero",
    r"\bat work\b": "running, active, in flight",
    r"\btold (?:calls?|plans?|answers?)\b": "traced",
    r"\bput down (?:for|once|twice)\b": "enqueued",
    r"\bcomes? round\b": "periodic, recurs",
    r"\b(?:the|a|its) stor(?:y|ies)\b": "trace",
    r"\bdoomed\b": "rollback only",
    r"\bovertaken\b": "superseded",
    r"\bdr(?:aws?|awn|ew) up\b": "prepare, price",
    r"\b(?:by chance|bits of chance|and chance come)\b": "at random, randomness, noise, coincidence",
    r"\bkeeps? (?:a|its) trail\b": "saga log",
    r"\bgives? up the trail\b": "abandon",
    r"\b(?:mis(?:counted|shared))\b": "amounts or shares mismatch",
}
WIRE_NAMES = re.compile(
    r"runtime\.overtaken|super\(\).__init__\(\"overtaken\"\)"
)  # they change with a contract version
SPOKEN_IN = {".py", ".md", ".html", ".ts", ".tmpl", ".po", ".toml"}


def spoken_files() -> list[Path]:
    """Return the files whose sentences somebody reads: code, docs, pages; a migration never changes once applied."""
    ours = {"tests/house", "docs/zh"}  # these name the words; those are Chinese
    return [
        path for path in tracked() if path.suffix in SPOKEN_IN and path.relative_to(ROOT).parent.as_posix() not in ours
    ]


def dialect(text: str) -> list[str]:
    """Return each phrase of ours in a text, with what to say."""
    plain = WIRE_NAMES.sub("", text)
    return [
        f"{found.group()!r}: say {field!r}"
        for phrase, field in DIALECT.items()
        for found in re.finditer(phrase, plain, re.IGNORECASE)
    ]


def test_sentences_use_the_words_of_the_field():
    found = [
        (path.relative_to(ROOT).as_posix(), wrong) for path in spoken_files() for wrong in dialect(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize("text", ["a remedy: mend it", "Points at work.", "of told calls", "it is Overtaken"])
def test_a_phrase_of_ours_would_be_found(text: str) -> None:
    assert len(dialect(text)) == 1
