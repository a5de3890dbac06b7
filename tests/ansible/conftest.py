"""Fixtures of the Ansible tests: the collection, installed from its file, and playbooks."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.ansible.playbooks import ROOT, Playbooks
from tests.threaded_cluster import ThreadedCluster


if TYPE_CHECKING:
    from collections.abc import Iterator

COLLECTION = ROOT / "integrations" / "ansible"


def link_collection() -> None:
    """Let this process import the collection, by the name that Ansible gives to it."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    link = folder / "ansible_collections" / "redis_enterprise" / "actions"
    link.parent.mkdir(parents=True)
    link.symlink_to(COLLECTION)
    sys.path.insert(0, str(folder))


link_collection()


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of collections with ours, which `ansible-galaxy` built and installed."""
    folder = tmp_path_factory.mktemp("collections")
    galaxy = str(Path(sys.executable).with_name("ansible-galaxy"))
    places = {"ANSIBLE_LOCAL_TEMP": folder / "tmp", "ANSIBLE_COLLECTIONS_PATH": folder}
    env = {**os.environ, **{name: str(place) for name, place in places.items()}}
    for command in (
        ["build", str(COLLECTION), "--output-path", str(folder)],
        ["install", str(folder / "redis_enterprise-actions-0.1.0.tar.gz"), "-p", str(folder)],
    ):
        done = subprocess.run(
            [galaxy, "collection", *command], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def server() -> Iterator[ThreadedCluster]:
    """A cluster of three nodes."""
    yield from _served(ThreadedCluster(nodes=3))


@pytest.fixture
def installed() -> Iterator[ThreadedCluster]:
    """Three installed nodes in no cluster, whose bootstraps take a second."""
    yield from _served(ThreadedCluster(nodes=3, bootstrapped=False))


def _served(server: ThreadedCluster) -> Iterator[ThreadedCluster]:
    server.start()
    yield server
    server.do(FakeCluster.heal)
    server.stop()


@pytest.fixture
def playbooks(tmp_path: Path, collections: Path, server: ThreadedCluster) -> Playbooks:
    """A runner of playbooks for `server`, whose work takes a second."""
    server.do(_quick)
    return Playbooks(tmp_path, collections, server)


@pytest.fixture
def first_playbooks(tmp_path: Path, collections: Path, installed: ThreadedCluster) -> Playbooks:
    """A runner of playbooks for `installed`, whose work takes a second."""
    installed.do(_quick)
    for node in (1, 2, 3):
        installed.do(lambda cluster, node=node: cluster.plan_bootstrap(node, duration=1.0))
    return Playbooks(tmp_path, collections, installed)


def _quick(cluster: FakeCluster) -> None:
    cluster.plan("POST", "/v", Plan(duration=1.0), times=None)
