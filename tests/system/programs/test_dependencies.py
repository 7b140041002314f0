"""What the programs consist of besides ours stands in the lists of their images (hack/image/sbom), with its version."""

import importlib.machinery
import importlib.util
import pathlib
import re
import subprocess

import pytest
from elf import BIN, PROGRAMS, ROOT, Elf

IMAGES = ROOT / "hack/image"
INFO = pathlib.Path("/var/lib/dpkg/info")
# What each C++ program has of the compiler, of libc and of the kernel's interface.
TOOLCHAIN = {"gcc-12", "glibc", "linux"}


def output(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sources(packages):
    """Names of the source packages of these binary ones, as this machine has them."""
    return set(output("dpkg-query", "--show", "--showformat", "${source:Package}\n", *packages).split())


def installed_by_the_images():
    """What the recipes install by name."""
    text = "".join(path.read_text().replace("\\\n", " ") for path in IMAGES.glob("*.Containerfile"))
    return {word for line in re.findall(r"apt-get install (.*)", text) for word in line.split("&&")[0].split() if word[0] != "-"}


def compiled_in():
    """What hack/image/build lists besides."""
    return set(re.search(r"^compiled_in=\((.*)\)$", (IMAGES / "build").read_text(), re.M)[1].split())


def owners():
    """{path: package} of all headers that packages of this machine brought."""
    return {line: path.stem.split(":")[0] for path in INFO.glob("*.list") for line in path.read_text().splitlines()
            if line.startswith(("/usr/include/", "/usr/lib/gcc/"))}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_list_reads_what_a_program_is_linked_to_as_readelf_does(program):
    loader = importlib.machinery.SourceFileLoader("sbom", str(IMAGES / "sbom"))
    sbom = importlib.util.module_from_spec(importlib.util.spec_from_loader("sbom", loader))
    loader.exec_module(sbom)
    needed = Elf(BIN / program).needed()
    assert "libc.so.6" in needed and sbom.needed((BIN / program).read_bytes()) == needed


def test_every_header_of_the_release_build_is_of_a_package_that_is_listed():
    read = set(re.findall(r"^ +(/usr/(?:include|lib/gcc)/\S+)$", output("ninja", "-C", "build/release", "-t", "deps"), re.M))
    assert len(read) > 1000, "the headers of the release build"
    known = owners()
    assert not [path for path in read if path not in known], "a header that no package brought"
    listed = sources(installed_by_the_images() | compiled_in()) | TOOLCHAIN
    of = {package: sources([package]) for package in {known[path] for path in read}}
    # Tests and measurements are built by the same preset, and are in no image.
    strays = {package for package, names in of.items() if not names <= listed} - {
        "libgtest-dev", "libgmock-dev", "libbenchmark-dev", "valgrind"}
    assert not strays, "add them to compiled_in of hack/image/build, or to the recipes"


def test_each_of_those_that_are_listed_as_compiled_in_is():
    read = set(re.findall(r"^ +(/usr/include/\S+)$", output("ninja", "-C", "build/release", "-t", "deps"), re.M))
    known = owners()
    assert compiled_in() <= {known.get(path) for path in read}
