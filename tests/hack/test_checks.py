"""The checks of the source must see what they are for."""

import importlib.machinery
import importlib.util
import subprocess
from pathlib import Path

import pytest

HACK = Path(__file__).resolve().parents[2] / "hack"


def load(name):
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(HACK / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


coroutines = load("check-coroutines")


@pytest.mark.parametrize("statement", [
    "co_await f([x] { return x; });",
    "co_await f(Aggregate{1});",
    "co_await f({.x = 1});",
    "auto c = Committed{co_await f()};",
    "Committed c{co_await f()};",
    "co_return co_await f();",
    "if (co_await f()) x();",
    "while (co_await f(a)) { }",
    "auto v = (co_await f()).value();",
    "x = co_await f() + 1;",
    "auto r = *co_await f();",
    "foo(co_await f());",
    "auto x = co_await f().value();",
    "auto x = co_await f(a, [&](auto y) { return y; });",
    "auto [a, b] = std::pair{1, co_await f()};",
])
def test_a_statement_that_may_be_miscompiled_is_refused(statement):
    assert list(coroutines.check_text("void g() {\n  " + statement + "\n}\n")) == [2]


@pytest.mark.parametrize("statement", [
    "co_await f();",
    "co_await f(make(a), b.c, std::move(d));",
    "auto x = co_await f(a);",
    "const auto x = co_await this->f(a->b);",
    "Result<std::string> x = co_await net::f<std::string>(std::move(start));",
    "x_ = co_await stream->read(buffer, into(ec));",
    "if (ready) x = co_await f(a);",
    "else if (auto* read = std::get_if<Read>(&step)) event = co_await read_within(timeout);",
    "else co_await f(a);",
    "while (!x && y == (z)) x = co_await f(a);",
    "const auto executor = co_await asio::this_coro::executor;",
    "// co_await f({1});",
    'log("co_await f({1})");',
])
def test_a_statement_of_the_house_rule_passes(statement):
    assert list(coroutines.check_text("void g() {\n  a();\n  " + statement + "\n}\n")) == []


def project(root, modules, files):
    for name in ("relay", "operator"):
        (root / name).mkdir()
        (root / name / "modules.cmake").write_text("")
    (root / "relay" / "modules.cmake").write_text(modules)
    for name, text in files.items():
        path = root / "relay" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return subprocess.run([HACK / "check-layers", root], capture_output=True, text=True, check=False)


MODULES = "module(relay/low PURE)\nmodule(relay/mid DEPENDS relay/low)\nmodule(relay/high DEPENDS relay/mid)\n"


def test_an_include_along_the_arrows_passes(tmp_path):
    result = project(tmp_path, MODULES, {
        "low/a.cpp": '#include "relay/low/a.hpp"\n',
        "mid/a.cpp": '#include "relay/low/a.hpp"\n',
        "high/a.cpp": '#include "relay/low/a.hpp"\n#include <thread>\n',
    })
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("files, complaint", [
    ({"low/a.cpp": '#include "relay/mid/a.hpp"\n'}, "relay/low has no arrow to relay/mid/a.hpp"),
    ({"low/a.hpp": "#include <thread>\n", "low/a.cpp": ""}, "relay/low is pure"),
    ({"low/a.cpp": "auto t = std::chrono::steady_clock::now();\n"}, "relay/low is pure"),
    ({"low/a.cpp": "#include <boost/asio/post.hpp>\n"}, "relay/low is pure"),
    ({"stray/a.cpp": ""}, "relay/stray: not declared"),
])
def test_what_breaks_the_layers_is_named(tmp_path, files, complaint):
    result = project(tmp_path, MODULES, files)
    assert result.returncode == 1
    assert complaint in result.stdout
