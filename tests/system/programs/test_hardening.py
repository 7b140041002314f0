"""The programs that ship are built so that an error in them is harder to use; of the release build, as it is in the images."""

import json
import subprocess

import pytest
from elf import BIN, PROGRAMS, ROOT, weaknesses

HARDENED = ["-O2", "-D_FORTIFY_SOURCE=2", "-D_GLIBCXX_ASSERTIONS", "-fstack-protector-strong", "-fPIE", "-pie",
            "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack"]
# Calls memcpy of a length, and takes an element of a number, that only the run tells: what is checked has a checked call.
SOURCE = """
#include <stdio.h>
#include <string.h>
#include <vector>
#ifdef WRITABLE_CODE
asm(".section .both,\\"awx\\"\\n.quad 0\\n.text");
#endif
int main(int count, char** words) {
  char copy[64];
  memcpy(copy, words[0], (unsigned)count * 3);
  std::vector<char> elements(2);
  return puts(copy) < 0 || elements[(unsigned)count] != 0;
}
"""


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_ships_is_hardened(program):
    assert weaknesses(BIN / program) == []


@pytest.mark.parametrize("instead, words", [
    ([], []),
    (["-fno-pie", "-no-pie"], ["its addresses are fixed (no PIE)"]),
    (["-Wl,-z,norelro"], ["no RELRO"]),
    (["-Wl,-z,lazy"], ["functions are bound late, in memory that stays writable (no full RELRO)"]),
    (["-Wl,-z,execstack"], ["its stack may be executed"]),
    (["-DWRITABLE_CODE"], ["memory may be written and executed"]),
    (["-fno-stack-protector"], ["no stack protector"]),
    (["-U_FORTIFY_SOURCE"], ["calls of libc are not checked (no FORTIFY)"]),
    (["-U_GLIBCXX_ASSERTIONS"], ["containers are not checked (no assertions of libstdc++)"]),
    (["-Wl,--enable-new-dtags,-rpath,/opt"], ["it has RUNPATH"]),
    (["-Wl,--disable-new-dtags,-rpath,/opt"], ["it has RPATH"]),
])
def test_the_check_sees_each_weakness(tmp_path, instead, words):
    program = tmp_path / "program"
    done = subprocess.run(["g++", "-x", "c++", *HARDENED, *instead, "-w", "-", "-o", str(program)], input=SOURCE, text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert set(words) <= set(weaknesses(program)) and bool(words) == bool(weaknesses(program)), weaknesses(program)


def test_every_source_of_them_is_compiled_so():
    # A program imports the protector's functions once one object uses them; this is about all others.
    commands = json.loads((ROOT / "build/release/compile_commands.json").read_text())
    ours = [each for each in commands if f"{ROOT}/relay/" in each["file"] or f"{ROOT}/operator/" in each["file"]]
    assert len(ours) > 100, "the sources of the release build"
    for each in ours:
        words = each["command"].split()
        for flag in ("-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-D_GLIBCXX_ASSERTIONS", "-fPIE"):
            assert flag in words, f"{each['file']} is compiled without {flag}"
        assert any(word in ("-O1", "-O2", "-O3") for word in words), f"{each['file']}: without -O nothing is checked"
