"""What hack/image/sbom lists is what the image holds, and what it does not know is an error."""

import gzip
import hashlib
import io
import json
import struct
import subprocess
import tarfile
from pathlib import Path

import pytest

SBOM = Path(__file__).resolve().parents[2] / "hack/image/sbom"


def elf(*libraries):
    """An ELF file that is linked to these, and does nothing."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in libraries)
    starts = [1 + sum(len(name) + 1 for name in libraries[:number]) for number in range(len(libraries))]
    begin, address = 64 + 2 * 56, 0x1000
    entries = [(1, start) for start in starts] + [(5, address + begin + 16 * (len(libraries) + 2)), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *entry) for entry in entries)
    size = begin + len(dynamic) + len(names)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, address, address, size, size, 4096)
    return header + load + struct.pack("<IIQQQQQQ", 2, 4, begin, address + begin, 0, len(dynamic), len(dynamic), 8) + dynamic + names


ELF = elf()
RELAY = elf("libx.so.1", "libc.so.6") + b"the relay"
OS = {"usr/lib/os-release": b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'}


def paragraph(name, version, state="install ok installed", **more):
    fields = {"Package": name, "Status": state, "Maintainer": "A. Person <a@example.net>", "Architecture": "amd64",
              "Version": version, **more, "Description": "a package\n Version: 0 is not a field"}
    return "".join(f"{key}: {value}\n" for key, value in fields.items()) + "\n"


def dpkg(*paragraphs, **lists):
    files = {"var/lib/dpkg/status": "".join(paragraphs).encode()}
    return files | {f"var/lib/dpkg/info/{name}.list": "\n".join(paths).encode() for name, paths in lists.items()}


def layer(files, links=()):
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for path, target in links:
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.LNKTYPE, target
            archive.addfile(entry)
    return octets.getvalue()


def digest(octets):
    return "sha256:" + hashlib.sha256(octets).hexdigest()


def image(folder, *layers, compress=False):
    """An archive as engines write it; returns its path and the digests of its layers."""
    digests = [digest(each) for each in layers]
    config = json.dumps({"created": "2026-11-25T14:18:43.123456789Z", "rootfs": {"type": "layers", "diff_ids": digests}}).encode()
    parts = {"config.json": config, **{f"{index}.tar": gzip.compress(each) if compress else each for index, each in enumerate(layers)}}
    parts["manifest.json"] = json.dumps([{"Config": "config.json", "RepoTags": ["registry.example.net/mail/smtp:1.2.3-abc"],
                                          "Layers": [f"{index}.tar" for index in range(len(layers))]}]).encode()
    path = folder / "image.tar"
    path.write_bytes(layer(parts))
    return path, digests


def sbom(archive, *options, programs=("relay",)):
    out = archive.with_name("out.spdx.json")
    done = subprocess.run([SBOM, archive, "--out", out, "--program", *programs, *options], capture_output=True, text=True, check=False)
    return done, json.loads(out.read_text()) if out.exists() else None


BASE = layer({**OS, **dpkg(paragraph("bash", "5.2-1"), libc6=["/lib/x86_64-linux-gnu/libc.so.6"]), "usr/bin/bash": ELF, "tmp/old": ELF})
ABOVE = layer({
    **dpkg(paragraph("bash", "5.2-1"), paragraph("libc6", "2.36-9"), paragraph("libx1", "1:2.0+b1~rc1-1", Source="libx (1:2.0~rc1-1)"),
           paragraph("removed", "1", state="deinstall ok config-files"),
           bash=["/.", "/bin", "/bin/bash"], libx1=["/lib/x86_64-linux-gnu/libx.so.1"]),
    "lib/x86_64-linux-gnu/libx.so.1": ELF, "tmp/.wh.old": b""})
PROGRAM = layer({"usr/bin/relay": RELAY})


def test_packages_and_programs_of_all_layers_are_listed(tmp_path):
    archive, digests = image(tmp_path, BASE, ABOVE, PROGRAM)
    done, found = sbom(archive, "--base", digests[0], "--limit", "1")
    assert done.returncode == 0, done.stderr
    image_itself, *parts = found["packages"]
    assert (image_itself["name"], image_itself["versionInfo"]) == ("registry.example.net/mail/smtp", "1.2.3-abc")
    assert [(part["name"], part["versionInfo"]) for part in parts] == [
        ("bash", "5.2-1"), ("libc6", "2.36-9"), ("libx1", "1:2.0+b1~rc1-1"), ("relay", "1.2.3")]
    assert [part["externalRefs"][0]["referenceLocator"] for part in parts[:3]] == [
        "pkg:deb/debian/bash@5.2-1?arch=amd64&distro=debian-12&upstream=bash",
        "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=libc6",
        "pkg:deb/debian/libx1@1%3A2.0%2Bb1~rc1-1?arch=amd64&distro=debian-12&upstream=libx%401%3A2.0~rc1-1"]
    assert parts[3]["checksums"] == [{"algorithm": "SHA256", "checksumValue": hashlib.sha256(RELAY).hexdigest()}]


def related(found, kind):
    return [(each["spdxElementId"], each["relatedSpdxElement"]) for each in found["relationships"] if each["relationshipType"] == kind]


def test_each_program_names_the_packages_of_its_libraries(tmp_path):
    _, found = sbom(image(tmp_path, BASE, ABOVE, PROGRAM)[0])
    assert related(found, "DYNAMIC_LINK") == [("SPDXRef-program-usr-bin-relay", "SPDXRef-deb-libc6-amd64"),
                                              ("SPDXRef-program-usr-bin-relay", "SPDXRef-deb-libx1-amd64")]


def test_what_is_compiled_in_is_listed_though_the_image_does_not_have_it(tmp_path):
    status = tmp_path / "status"
    status.write_text(paragraph("libheaders-dev", "3.11-2", Source="headers") + paragraph("gone", "1", state="deinstall ok config-files"))
    _, found = sbom(image(tmp_path, BASE, ABOVE, PROGRAM)[0], "--compiled-in", status)
    listed = {part["SPDXID"]: part["externalRefs"][0]["referenceLocator"] for part in found["packages"] if "externalRefs" in part}
    assert listed["SPDXRef-deb-libheaders-dev-amd64"] == (
        "pkg:deb/debian/libheaders-dev@3.11-2?arch=amd64&distro=debian-12&upstream=headers")
    assert related(found, "STATIC_LINK") == [("SPDXRef-program-usr-bin-relay", "SPDXRef-deb-libheaders-dev-amd64")]
    assert "SPDXRef-deb-libheaders-dev-amd64" not in [part for _, part in related(found, "CONTAINS")]
    assert "gone" not in str(found["packages"])


def test_it_is_a_document_of_spdx_that_holds_together(tmp_path):
    _, found = sbom(image(tmp_path, BASE, ABOVE, PROGRAM)[0])
    assert (found["spdxVersion"], found["dataLicense"], found["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert found["creationInfo"]["created"] == "2026-11-25T14:18:43Z"
    identifiers = [part["SPDXID"] for part in found["packages"]]
    assert len(set(identifiers)) == len(identifiers)
    assert related(found, "DESCRIBES") == [("SPDXRef-DOCUMENT", identifiers[0])]
    assert related(found, "CONTAINS") == [(identifiers[0], part) for part in identifiers[1:]]
    assert {part for each in found["relationships"] for part in (each["spdxElementId"], each["relatedSpdxElement"])} == {
        "SPDXRef-DOCUMENT", *identifiers}


def test_the_same_image_has_the_same_list_compressed_or_not(tmp_path):
    _, plain = sbom(image(tmp_path, BASE, ABOVE, PROGRAM)[0])
    _, compressed = sbom(image(tmp_path, BASE, ABOVE, PROGRAM, compress=True)[0])
    assert plain == compressed


@pytest.mark.parametrize("more, programs, words", [
    ({"opt/stray": ELF}, ("relay",), "opt/stray usr/bin/relay; expected: relay"),
    ({}, ("relay", "relayctl"), "usr/bin/relay; expected: relay relayctl"),
    ({"usr/bin/.wh.relay": b""}, ("relay",), "none; expected: relay"),
    ({"var/lib/dpkg/.wh.status": b""}, ("relay",), "the image has no /var/lib/dpkg/status"),
    ({"usr/bin/relay": elf("libstray.so.7", "libx.so.1")}, ("relay",),
     "usr/bin/relay is linked to libstray.so.7, which no package of the image brought"),
    ({"usr/bin/relay": RELAY[:100]}, ("relay",), "cannot read which libraries usr/bin/relay is linked to"),
])
def test_what_no_list_would_tell_of_is_an_error(tmp_path, more, programs, words):
    done, found = sbom(image(tmp_path, BASE, ABOVE, PROGRAM, layer(more))[0], programs=programs)
    assert (done.returncode, found) == (1, None)
    assert words in done.stderr


def test_links_and_emptied_folders_are_followed(tmp_path):
    linked = layer({"usr/.wh..wh..opq": b"", **OS, "usr/bin/relay": ELF}, links=[("usr/bin/relayctl", "usr/bin/relay")])
    done, found = sbom(image(tmp_path, BASE, ABOVE, layer({"usr/bin/stray": ELF}), linked)[0], programs=("relay", "relayctl"))
    assert done.returncode == 0, done.stderr
    assert [part["name"] for part in found["packages"][-2:]] == ["relay", "relayctl"]


def test_an_image_that_adds_too_much_is_refused(tmp_path):
    archive, digests = image(tmp_path, BASE, ABOVE, layer({"usr/bin/relay": ELF + b"\0" * 1_000_000}))
    done, found = sbom(archive, "--base", digests[0], "--limit", "1")
    assert (done.returncode, found) == (1, None)
    assert "it adds 1.0 MB to its base; 1 MB are the limit" in done.stderr
    assert sbom(archive, "--base", *digests[:2], "--limit", "1.1")[0].returncode == 0


def test_an_image_of_another_base_is_refused(tmp_path):
    done, _ = sbom(image(tmp_path, BASE, ABOVE, PROGRAM)[0], "--base", digest(PROGRAM), "--limit", "1")
    assert done.returncode == 1
    assert "its first layers are not the base's" in done.stderr
