import os
from dataclasses import replace

import pytest

from tidemark.sampler import procfs
from tidemark.sampler.composition import count_threads, fold_thread_name
from tidemark.sampler.errors import NoSuchProcessError
from tidemark.sampler.tree import ProcessTree, descendants, identify, short_name


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["/usr/bin/python3", "-m", "tidemark.targets.serve", "shared"], "targets.serve"),
        (["/opt/venv/bin/python3.11", "-u", "/srv/app/main.py", "--x"], "main.py"),
        (["python", "-c", "pass"], "python"),
        (["python"], "python"),
        (["/usr/sbin/nginx", "-g", "daemon off;"], "nginx"),
        (["nginx: worker process"], "nginx"),
        (["gunicorn: master [app]"], "gunicorn"),
        ([], "comm"),
    ],
)
def test_short_names(command, expected):
    assert short_name(command, "comm") == expected


def test_descendants_of_several_roots():
    parents = {2: 1, 3: 2, 4: 3, 5: 1, 6: 5, 7: 99}
    assert descendants(parents, {3, 5}) == {3, 4, 5, 6}


def tree_of(pid):
    return ProcessTree(identify(pid))


def test_children_and_grandchildren_come_and_go(puppet, eventually):
    tree = tree_of(puppet.pid)
    child = puppet.do("result = fork()")
    grandchild = puppet.do(
        "r, w = os.pipe(); c = fork(lambda: os.write(w, b'%d' % fork()));"
        "result = int(os.read(r, 20))"
    )
    tree.refresh(0.0)
    assert next(iter(tree.members)) == puppet.pid
    assert {child, grandchild} <= set(tree.members)
    assert len(tree.members) == 4
    assert set(tree.stats) == set(tree.members)
    puppet.do(f"os.kill({child}, 9); os.waitpid({child}, 0)")
    tree.refresh(0.1)
    assert child not in tree.members


def test_a_member_stays_when_its_parent_ends(puppet, eventually):
    # The grandchild asks not to be killed with its parent.
    grandchild = puppet.do("""
r, w = os.pipe()
def middle():
    inner = os.fork()
    if inner == 0:
        signal.pause()
    os.write(w, b"%d" % inner)
c = fork(middle)
result = int(os.read(r, 20))
""")
    try:
        tree = tree_of(puppet.pid)
        tree.refresh(0.0)
        assert grandchild in tree.members
        puppet.do("os.kill(c, 9); os.waitpid(c, 0)")
        tree.refresh(0.1)
        assert grandchild in tree.members
        assert len(tree.members) == 2
    finally:
        os.kill(grandchild, 9)


def test_a_zombie_is_dead(puppet, eventually):
    child = puppet.do("result = fork()")
    tree = tree_of(puppet.pid)
    tree.refresh(0.0)
    assert child in tree.members
    puppet.do(f"os.kill({child}, 9)")
    eventually(lambda: procfs.read_stat(child).state == "Z", "the zombie")
    tree.refresh(0.1)
    assert child not in tree.members
    with pytest.raises(NoSuchProcessError):
        identify(child)


def test_a_pid_that_comes_back_is_another_process(puppet, monkeypatch):
    tree = tree_of(puppet.pid)
    tree.refresh(0.0)
    first = tree.members[puppet.pid]
    read_stat = procfs.read_stat

    def reborn(pid):
        stat = read_stat(pid)
        return replace(stat, start_ticks=stat.start_ticks + 1)

    monkeypatch.setattr(procfs, "read_stat", reborn)
    tree.refresh(0.1)
    assert first not in tree.members.values()
    assert puppet.pid in tree.newcomers, "it may be the target, started again"


def test_the_name_stays_when_the_process_executes_another_program(puppet, eventually):
    child = puppet.do("""
child = os.fork()
if child == 0:
    end_with_parent()
    os.execvp("sleep", ["sleep", "60"])
result = child
""")
    eventually(lambda: procfs.read_command(child)[:1] == ["sleep"], "the exec")
    tree = tree_of(puppet.pid)
    tree.refresh(0.0)
    assert tree.members[child].name == "sleep"
    assert tree.members[puppet.pid].name == "puppet.py"


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("rdk:broker1", "rdk:broker*"),
        ("rdk:broker-1", "rdk:broker*"),
        ("rdk:main", "rdk:main"),
        ("ThreadPoolExecutor-0_12", "ThreadPoolExecutor-0*"),
        ("worker 3", "worker*"),
        ("42", "42"),
        ("", ""),
    ],
)
def test_thread_names_are_folded(name, folded):
    assert fold_thread_name(name) == folded


def test_counts_by_name():
    assert count_threads(["rdk:broker1", "rdk:broker-1", "rdk:main"]) == {
        "rdk:broker*": 2,
        "rdk:main": 1,
    }
