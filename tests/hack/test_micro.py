"""hack/micro --instructions sees what it is for. What it counts is given to it here; counting itself is its stage of hack/test."""

import importlib.machinery
import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def micro(monkeypatch, tmp_path):
    """The script, with two paths that have figures, and nothing to build."""
    loader = importlib.machinery.SourceFileLoader("micro", str(ROOT / "hack/micro"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    monkeypatch.setattr(module, "FIGURES", tmp_path / "instructions.json")
    monkeypatch.setattr(module, "build", lambda: None)
    monkeypatch.setattr(module, "compiler", lambda: "g++ 12.2.0")
    module.FIGURES.write_text(json.dumps({"compiler": "g++ 12.2.0", "instructions": {"smtp/a": 1000, "spool/b": 50_000}}))
    return module


@pytest.fixture
def check(micro, monkeypatch, capsys):
    """Runs the check over these counts: (exit code, standard output, standard error)."""
    def run(counted, *wanted):
        monkeypatch.setattr(micro, "measure", lambda _: counted)
        code = micro.main(["--instructions", *wanted])
        said = capsys.readouterr()
        return code, said.out, said.err
    return run


def test_counts_like_their_figures_pass_without_a_word(check):
    code, out, err = check({"smtp/a": 1100, "spool/b": 45_000})
    assert code == 0 and "note:" not in out and err == ""


def test_a_path_that_grew_by_more_than_a_tenth_fails(check):
    code, _, err = check({"smtp/a": 1101, "spool/b": 50_000})
    assert code == 1
    assert "smtp/a takes 1,101 instructions, 10.1% more than its figure of 1,000" in err
    assert "callgrind_annotate build/micro/smtp-a" in err and "spool/b" not in err


def test_a_path_that_shrank_by_more_than_a_tenth_is_told_and_passes(check):
    code, out, err = check({"smtp/a": 1000, "spool/b": 44_900})
    assert code == 0 and err == ""
    assert "note: spool/b takes 44,900 instructions, 10.2% less than its figure of 50,000: hack/micro --update" in out


def test_a_path_without_a_figure_fails(check):
    code, _, err = check({"smtp/a": 1000, "spool/b": 50_000, "queue/c": 7})
    assert code == 1 and "queue/c has no figure" in err


def test_a_figure_without_its_path_fails(check):
    code, _, err = check({"smtp/a": 1000})
    assert code == 1 and "spool/b has a figure and is gone" in err


def test_all_that_is_wrong_is_said_at_once(check):
    _, _, err = check({"smtp/a": 2000, "queue/c": 7})
    assert [path for path in ("smtp/a", "spool/b", "queue/c") if f"error: {path} " in err] == ["smtp/a", "spool/b", "queue/c"]


def test_one_path_can_be_checked_alone(check):
    assert check({"smtp/a": 1000}, "smtp/a")[0] == 0
    assert check({"smtp/a": 2000}, "smtp/a")[0] == 1


def test_figures_of_another_compiler_are_told(check, micro, monkeypatch):
    monkeypatch.setattr(micro, "compiler", lambda: "g++ 14.2.0")
    code, out, _ = check({"smtp/a": 1000, "spool/b": 50_000})
    assert code == 0 and "compiled by g++ 14.2.0, the figures are of g++ 12.2.0" in out


def test_an_update_writes_a_line_for_each_path_and_then_the_check_passes(check, micro, monkeypatch):
    counted = {"smtp/a": 2000, "queue/c": 7}
    monkeypatch.setattr(micro, "measure", lambda _: counted)
    assert micro.main(["--update"]) == 0
    assert '    "smtp/a": 2000,\n    "queue/c": 7\n' in micro.FIGURES.read_text()
    assert check(counted)[0] == 0


def test_a_path_that_does_not_exist_is_named(micro, monkeypatch, capsys):
    monkeypatch.setattr(micro, "all_paths", lambda: {"smtp/a": 10})
    assert micro.main(["--instructions", "smtp/x"]) == 1
    assert "there is no path smtp/x; there are: smtp/a" in capsys.readouterr().err


def test_a_profile_gives_its_total_and_an_empty_one_is_no_count(micro):
    assert micro.total_of("events: Ir\nfn=(1) f\n1 2\n\ntotals: 4321\n") == 4321
    for nothing in ("events: Ir\ntotals: 0\n", "events: Ir\n"):
        with pytest.raises(micro.Failure):
            micro.total_of(nothing)


def test_each_path_in_the_sources_has_its_figure_and_no_other():
    paths = set()
    for source in (ROOT / "tests/micro").glob("*.cpp"):
        paths |= set(re.findall(r'\{"(\w+/\w+)", \d+, \w+\}', source.read_text()))
    file = json.loads((ROOT / "tests/micro/instructions.json").read_text())
    assert len(paths) >= 20 and paths == file["instructions"].keys()
    assert all(figure > 0 for figure in file["instructions"].values()) and re.fullmatch(r"g\+\+ [\d.]+", file["compiler"])
