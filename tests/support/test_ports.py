import os
import pathlib
import subprocess
import sys

from ports import BLOCK, free_ports

HERE = pathlib.Path(__file__).parent


def test_another_process_of_tests_takes_no_port_of_this_ones_block(tmp_path):
    mine = free_ports(1)[0] // BLOCK
    code = f"from ports import free_ports; print(*free_ports({BLOCK // 2}))"
    others = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, timeout=60, check=True,
                            env=os.environ | {"TMPDIR": str(tmp_path)})
    assert {int(port) // BLOCK for port in others.stdout.split()}.isdisjoint({mine})
    assert list(tmp_path.iterdir()) == [], "a program that is given a folder of its own leaves nothing in it"


def test_a_port_comes_again_only_behind_all_others_of_the_block():
    taken = [free_ports(1)[0] for _ in range(BLOCK // 2)]
    assert len(set(taken)) == len(taken)
