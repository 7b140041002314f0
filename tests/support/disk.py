"""A small disk of a test's own: an ext4 image on a loop device, which can fill up, turn read-only and lose power."""

import contextlib
import fcntl
import os
import pathlib
import struct
import subprocess

# linux/ext4.h: stop the file system at once; flag 2 leaves even the journal unwritten, as a power cut does.
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)


class Disk:
    def __init__(self, folder, megabytes=64):
        self.image = pathlib.Path(folder) / "disk.img"
        self.path = pathlib.Path(folder) / "disk"
        self.path.mkdir()
        with self.image.open("wb") as file:
            file.truncate(megabytes << 20)
        run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        self.mount()

    def mount(self):
        run("mount", "-o", "loop", self.image, self.path)

    def unmount(self):
        run("umount", self.path)

    def cut_power(self):
        """What was not synced is gone, and nothing can be written any more."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(folder)

    def restore_power(self):
        self.unmount()
        self.mount()

    def fill(self):
        """Takes all space that is left."""
        filler = os.open(self.path / "filler", os.O_WRONLY | os.O_CREAT)
        try:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        os.write(filler, b"\0" * size)
        finally:
            os.close(filler)

    def empty(self):
        (self.path / "filler").unlink()

    def remount(self, options):
        run("mount", "-o", "remount," + options, self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.unmount()


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
