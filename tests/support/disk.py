"""A small disk of a test's own: an image with ext4 or XFS on a loop device, which can fill up, turn read-only, lose power."""

import contextlib
import errno
import fcntl
import itertools
import os
import pathlib
import shutil
import struct
import subprocess

# EXT4_IOC_SHUTDOWN, and by the same number XFS_IOC_GOINGDOWN: stop the file system at once; flag 2 leaves even the journal
# unwritten, as a power cut does.
SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)
FILE_SYSTEMS = ("ext4", "xfs")
MEGABYTES = {"ext4": 64, "xfs": 320}  # mkfs.xfs makes none below 300


class Disk:
    def __init__(self, folder, megabytes=None, reserved_percent=0, inodes=None, options="defaults", file_system="ext4"):
        """`reserved_percent`, and `inodes`, for so many files, about: of ext4; `options`: of each mount."""
        self.options, self.file_system = options, file_system
        megabytes = max(megabytes or 0, MEGABYTES[file_system])
        self.image = pathlib.Path(folder) / "disk.img"
        self.path = pathlib.Path(folder) / "disk"
        self.path.mkdir()
        with self.image.open("wb") as file:
            file.truncate(megabytes << 20)
        if file_system == "xfs":
            run("mkfs.xfs", "-q", self.image)
        else:
            run("mkfs.ext4", "-q", "-F", "-m", str(reserved_percent), *(["-N", str(inodes)] if inodes else []), self.image)
        self.mount()

    def mount(self):
        # A device of its own each time: a mount namespace that some other program has made meanwhile keeps the last mount,
        # and with its device one would get the file system of before, stopped as it is. By its UUID XFS would see it too.
        self._device = run("losetup", "--find", "--show", self.image).strip()
        options = self.options + (",nouuid" if self.file_system == "xfs" else "")
        try:
            run("mount", "-t", self.file_system, "-o", options, self._device, self.path)
        except AssertionError as error:
            run("losetup", "--detach", self._device)
            # What the kernel has as a module it loads at the first mount.
            if self.file_system in pathlib.Path("/proc/filesystems").read_text().split():
                raise
            raise AssertionError(f"the kernel of this machine has no {self.file_system} (/proc/filesystems), and a test of it "
                                 f"is not skipped: build or load the module {self.file_system}") from error

    def unmount(self):
        run("umount", self.path)
        run("losetup", "--detach", self._device)

    def cut_power(self):
        """What was not synced is gone, and nothing can be written any more."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(folder)

    def restore_power(self):
        self.unmount()
        self.mount()

    def fill(self, percent=100):
        """Takes all space that is left, or so much that this share of the disk is taken."""
        if percent < 100:
            space = os.statvfs(self.path)
            used = space.f_blocks - space.f_bfree
            more = (used + space.f_bavail) * percent // 100 - used
            with (self.path / "filler").open("ab") as filler:
                os.posix_fallocate(filler.fileno(), filler.tell(), more * space.f_frsize)
            return
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

    def fill_inodes(self):
        """Takes all that are left, by empty files."""
        folder = self.path / "fillers"
        folder.mkdir()
        with contextlib.suppress(OSError):
            for number in itertools.count():
                (folder / str(number)).touch()
        assert os.statvfs(self.path).f_ffree == 0

    def empty_inodes(self):
        shutil.rmtree(self.path / "fillers")

    def fail(self):
        """An error of ext4 itself, which it answers as its mount option `errors` says."""
        (pathlib.Path("/sys/fs/ext4", pathlib.Path(self._device).name) / "trigger_fs_error").write_text("made by a test\n")

    def is_read_only(self):
        """As writers see it; what mounts are listed with does not tell of an error's consequence."""
        try:
            (self.path / "probe").touch()
        except OSError as error:
            return error.errno == errno.EROFS
        return False

    def mend(self):
        """What an administrator does behind an error of ext4: unmount, check, mount."""
        self.unmount()
        subprocess.run(["e2fsck", "-fy", str(self.image)], capture_output=True, timeout=60)
        self.mount()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.unmount()


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
