"""What readelf says of a program or library."""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = ROOT / "build/bin"
PROGRAMS = ("smtp-relay", "smtp-relay-operator", "relayctl")


class Elf:
    def __init__(self, path):
        self.path = pathlib.Path(path)

    def read(self, *options):
        done = subprocess.run(["readelf", "-W", *options, str(self.path)], capture_output=True, text=True, timeout=60,
                              env=os.environ | {"LC_ALL": "C"})
        assert done.returncode == 0, done.stderr
        return done.stdout

    def segments(self, kind):
        """The flags of each segment of this kind: R, RW, R E or RWE."""
        return [found.strip() for found in
                re.findall(rf"^  {kind} +(?:0x\w+ ){{5}}([R ][W ][E ]) 0x\w+$", self.read("-l"), re.M)]

    def dynamic(self):
        """{tag: [value]} of the dynamic section."""
        found = {}
        for tag, value in re.findall(r"^ 0x\w+ \((\w+)\) +(.*)$", self.read("-d"), re.M):
            found.setdefault(tag, []).append(value)
        return found

    def needed(self):
        """The libraries that it asks the loader for."""
        return [re.search(r"\[(.*)\]", value)[1] for value in self.dynamic().get("NEEDED", [])]

    def imports(self):
        """Names of functions and objects that it takes from libraries, without their versions."""
        return set(re.findall(r" UND ([A-Za-z_]\w*)", self.read("--dyn-syms")))


def weaknesses(path):
    """What a program lacks of what it is to have against those who find an error in it; empty when it has all."""
    elf, found = Elf(path), []
    dynamic = elf.dynamic()
    flags = " ".join(dynamic.get("FLAGS", []) + dynamic.get("FLAGS_1", []))
    if " DYN " not in elf.read("-h") or "PIE" not in flags:
        found.append("its addresses are fixed (no PIE)")
    if not elf.segments("GNU_RELRO"):
        found.append("no RELRO")
    if "NOW" not in flags and "BIND_NOW" not in dynamic:
        found.append("functions are bound late, in memory that stays writable (no full RELRO)")
    if elf.segments("GNU_STACK") != ["RW"]:
        found.append("its stack may be executed")
    if any("W" in flags and "E" in flags for flags in elf.segments("LOAD")):
        found.append("memory may be written and executed")
    if "__stack_chk_fail" not in elf.imports():
        found.append("no stack protector")
    if not any(name.endswith("_chk") for name in elf.imports()):
        found.append("calls of libc are not checked (no FORTIFY)")
    if not any("__glibcxx_assert_fail" in name for name in elf.imports()):
        found.append("containers are not checked (no assertions of libstdc++)")
    for tag in sorted({"TEXTREL", "RPATH", "RUNPATH"} & set(dynamic)):
        found.append(f"it has {tag}")
    return found
