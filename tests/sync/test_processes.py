"""Tests of the synchronous client in programs: their end, Ctrl-C, and forks."""

from __future__ import annotations

import signal
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import Plan
from tests.sync.program import Program
from tests.threaded_cluster import ThreadedCluster


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket, pytest.mark.system]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork, and no such signal")

LONG = Plan(duration=120)
_INTERRUPTED_WITHIN = 2.0  # seconds


@pytest.fixture(params=[None, "own-ca"], ids=["http", "https"])
def either(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ThreadedCluster]:
    """Return a cluster without TLS, and one with it."""
    threaded = ThreadedCluster(tls=request.param)
    threaded.start()
    if request.param is not None:
        certificate = tmp_path / "ca.pem"
        certificate.write_text(threaded.cluster.ca_pem, "utf-8")
        monkeypatch.setenv("REDIS_ENTERPRISE_CA_CERT", str(certificate))
    yield threaded
    threaded.stop()


def asked_for(threaded: ThreadedCluster, plan: Plan) -> str:
    """Return an action that begins when the program first asks for it, however late it starts."""
    return threaded.do(lambda cluster: cluster.add_action("SMUpdateBDB", plan, when_asked_for=True))


ENDS = {
    "closed": """
        with ActionsClient.from_env() as client:
            client.list_actions()
    """,
    "not closed": """
        client = ActionsClient.from_env()
        client.list_actions()
    """,
    "not used": """
        client = ActionsClient.from_env()
    """,
    "daemon threads wait": """
        client = ActionsClient.from_env()
        for uid in uids:
            waiting = lambda: client.wait_for_action(uid, on_progress=ready)
            threading.Thread(target=waiting, daemon=True).start()
        is_ready.wait(30)
    """,
    "daemon threads call again and again": """
        client = ActionsClient.from_env()
        def call():
            while True:
                ready(client.list_actions())
        for _ in range(5):
            threading.Thread(target=call, daemon=True).start()
        is_ready.wait(30)
    """,
    "a callback of a daemon thread blocks": """
        client = ActionsClient.from_env()
        def callback(action):
            ready(action)
            time.sleep(0.2)
        def wait():
            while True:
                client.wait_for_action(uids[0], until="progress=0", on_progress=callback)
        threading.Thread(target=wait, daemon=True).start()
        is_ready.wait(30)
    """,
    "daemon threads iterate": """
        client = ActionsClient.from_env()
        def iterate():
            for action in client.operation(uids[0]):
                ready(action)
        threading.Thread(target=iterate, daemon=True).start()
        is_ready.wait(30)
    """,
    "an iterator is left": """
        client = ActionsClient.from_env()
        updates = client.watch_action(uids[0])
        next(updates)
    """,
    "a cycle holds an iterator": """
        class Holder: pass
        holder = Holder()
        holder.me = holder
        holder.client = ActionsClient.from_env()
        holder.updates = holder.client.watch_action(uids[0])
        next(holder.updates)
        del holder
    """,
    "a function of the exit calls": """
        import atexit
        client = ActionsClient.from_env()
        atexit.register(lambda: client.list_actions())
        client.list_actions()
    """,
    "a callback raises SystemExit": """
        client = ActionsClient.from_env()
        client.wait_for_action(uids[0], on_progress=lambda action: sys.exit(0))
    """,
    "a call comes after the end": """
        client = ActionsClient.from_env()
        class Late:
            def __del__(self):
                try:
                    client.list_actions()
                except ClientClosed:
                    pass
        late = Late()
        client.list_actions()
    """,
}


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_nothing_is_left_at_exit(threaded: ThreadedCluster, code: str) -> None:
    """A process ends at once, without a word, whatever is under way."""
    uids = [threaded.add(plan=LONG) for _ in range(3)]

    with Program(threaded, code, *uids) as program:
        code_, _, errors = program.end(30)

    assert (code_, errors) == (0, "")


@pytest.mark.parametrize("name", ["closed", "not closed", "daemon threads wait"])
def test_nothing_is_left_of_tls(either: ThreadedCluster, name: str) -> None:
    """Nor do connections with TLS."""
    with Program(either, ENDS[name], either.add(plan=LONG)) as program:
        code, _, errors = program.end(30)

    assert (code, errors) == (0, "")


def test_threads_that_are_no_daemons_end_first(threaded: ThreadedCluster) -> None:
    """A process waits for its threads, and their waits go on to their end meanwhile."""
    code = """
        client = ActionsClient.from_env()
        def wait(uid):
            status = client.wait_for_action(uid).status
            os.write(1, f"{status}\\n".encode())  # as one piece
        for uid in uids:
            threading.Thread(target=wait, args=(uid,)).start()
    """
    uids = [threaded.add(plan=Plan(duration=1)) for _ in range(3)]

    with Program(threaded, code, *uids) as program:
        assert program.end() == (0, "completed\n" * 3, "")


INTERRUPTED = {
    "in a hundred threads": (
        """
        try:
            with ThreadPoolExecutor(100) as pool, ActionsClient.from_env() as client:
                waits = [pool.submit(client.wait_for_action, uid) for uid in uids]
                ready(None)
                for wait in waits:
                    wait.result()
        except KeyboardInterrupt:
            print(sum(isinstance(wait.exception(), ClientClosed) for wait in waits))
            sys.exit(130)
        """,
        (130, "100\n", ""),
    ),
    "in the main thread": (
        """
        client = ActionsClient.from_env()
        try:
            client.wait_for_actions(uids, on_progress=ready)
        except KeyboardInterrupt:
            print(len(client.list_actions()))
        """,
        (0, "100\n", ""),
    ),
    "in a callback that waits": (
        """
        client = ActionsClient.from_env()
        def callback(action):
            client.wait_for_action(uids[1], on_progress=ready)
        try:
            client.wait_for_action(uids[0], on_progress=callback)
        except KeyboardInterrupt:
            print(len(client.list_actions()))
        """,
        (0, "100\n", ""),
    ),
    "in an iteration": (
        """
        client = ActionsClient.from_env()
        try:
            for action in client.watch_action(uids[0]):
                ready(action)
        except KeyboardInterrupt:
            print(len(client.list_actions()))
        """,
        (0, "100\n", ""),
    ),
    "by a handler that raises SystemExit": (
        """
        signal.signal(signal.SIGINT, lambda *_: sys.exit(3))
        with ActionsClient.from_env() as client:
            client.wait_for(*uids, on_progress=ready)
        """,
        (3, "", ""),
    ),
}


@POSIX
@pytest.mark.parametrize(("code", "end"), INTERRUPTED.values(), ids=INTERRUPTED)
def test_interrupt(threaded: ThreadedCluster, code: str, end: tuple[int, str, str]) -> None:
    """Ctrl-C ends a wait at once, and the client goes on; the work does, too."""
    uids = [threaded.add(plan=LONG) for _ in range(100)]

    with Program(threaded, code, *uids) as program:
        program.wait_until_ready()
        time.sleep(0.2)
        began = time.monotonic()
        program.send(signal.SIGINT)
        ended = program.end(30)

    assert ended == end
    assert time.monotonic() - began < _INTERRUPTED_WITHIN
    assert {request.method for request in threaded.cluster.requests} == {"GET"}


@POSIX
def test_uncaught_interrupt(threaded: ThreadedCluster) -> None:
    """A program that does not catch it ends by the signal, with a short traceback."""
    code = """
        with ActionsClient.from_env() as client:
            client.wait_for_action(uids[0], on_progress=ready)
    """
    with Program(threaded, code, threaded.add(plan=LONG)) as program:
        program.wait_until_ready()
        time.sleep(0.2)
        program.send(signal.SIGINT)
        exit_code, _, errors = program.end(30)

    assert exit_code == -signal.SIGINT
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert errors.count("Traceback") == 1
    assert errors.count('File "') < 9


@POSIX
def test_interrupt_of_maintenance(threaded: ThreadedCluster) -> None:
    """Ctrl-C while maintenance is switched on waits until it is off again."""
    threaded.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=1), times=None))
    code = """
        client = ActionsClient.from_env()
        client.observe(lambda record: ready(record) or (lambda record: None))
        try:
            with client.nodes.maintenance(1):
                print("on")
        except KeyboardInterrupt:
            print(client.cluster.check().is_healthy)
    """
    with Program(threaded, code) as program:
        program.wait_until_ready()
        program.send(signal.SIGINT)
        assert program.end() == (0, "True\n", "")


FORKS = {
    "in use": """
        client = ActionsClient.from_env()
        waits = [threading.Thread(target=wait, args=(client, uid)) for uid in uids]
        for each in waits:
            each.start()
        operation = client.operation(uids[0])
        updates = client.watch_action(uids[0])
        next(updates)
        is_ready.wait(30)
        pid = os.fork()
        if not pid:
            import gc
            begun = len(client.list_actions())
            done = operation.wait()
            try:
                next(updates)
            except UsageError as error:
                assert str(error).startswith("this was begun before a fork"), error
            del updates
            client.close()
            del client
            gc.collect()
            sys.exit(7 if (begun, done.status) == (3, "completed") else 1)
        for each in waits:
            each.join()
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), ended)
        print(list(updates)[-1].status, client._link.use()[0]._thread.ident == first_thread(client))
    """,
    "not used": """
        client = ActionsClient.from_env()
        pid = os.fork()
        found = len(client.list_actions())
        if not pid:
            sys.exit(7 if found == 3 else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), ["completed"] * found)
        print("completed", True)
    """,
    "in a callback": """
        client = ActionsClient.from_env()
        pids = []
        def callback(action):
            if not pids:
                pids.append(os.fork())
        try:
            done = client.wait_for_action(uids[0], on_progress=callback)
        except UsageError as error:
            assert str(error).startswith("this was begun before a fork"), error
            assert len(client.list_actions()) == 3
            client.close()
            sys.exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]), [done.status] * 3)
        print("completed", True)
    """,
    "by multiprocessing": """
        import multiprocessing
        fork = multiprocessing.get_context("fork")
        client = ActionsClient.from_env()
        def work(index):
            done = client.wait_for_action(uids[index])
            sys.exit(7 if done.status == "completed" else 1)
        first = threading.Thread(target=wait, args=(client, uids[0]))
        first.start()
        is_ready.wait(30)
        children = [fork.Process(target=work, args=(index,)) for index in range(3)]
        for each in children:
            each.start()
        for each in children:
            each.join()
        first.join()
        assert {each.exitcode for each in children} == {7}
        print(7, ended * 3)
        print("completed", True)
    """,
    "in maintenance": """
        client = ActionsClient.from_env()
        with client.nodes.maintenance(1, check=False):
            pid = os.fork()
            if pid:
                found = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                lists = client.cluster.check().findings
        if not pid:
            client.close()
            sys.exit(7)
        print(found, ["completed"] * 3)
        print("completed", any(each.kind == "maintenance" for each in lists))
    """,
}
_FORK_HEAD = """
ended = []
def wait(client, uid):
    ended.append(client.wait_for_action(uid, on_progress=ready).status)
def first_thread(client):
    (thread,) = [each for each in threading.enumerate() if each.name == "redis-enterprise-actions"]
    return thread.ident
"""


@POSIX
@pytest.mark.parametrize("code", FORKS.values(), ids=FORKS)
def test_fork(either: ThreadedCluster, code: str) -> None:
    """The child of a fork begins anew; waits of the parent go on over their connections."""
    either.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0.2), times=None))
    uids = [asked_for(either, Plan(duration=2.0 + index)) for index in range(3)]
    if "maintenance" in code:
        uids = []

    with Program(either, _FORK_HEAD + textwrap.dedent(code), *uids) as program:
        exit_code, output, errors = program.end()

    assert (exit_code, errors) == (0, "")
    assert output.replace("ready\n", "") == (
        "7 ['completed', 'completed', 'completed']\ncompleted True\n"
    )


@POSIX
@pytest.mark.parametrize("is_at_end", [False, True])
def test_observer_that_forks(threaded: ThreadedCluster, is_at_end: bool) -> None:
    """The child of a fork in an observer ends with it, and sends nothing; the parent goes on."""
    code = """
        import logging
        logging.disable()
        client = ActionsClient.from_env()
        pids = []
        def fork(record):
            if not pids:
                pids.append(os.fork())
        def observer(record):
            if IS_AT_END:
                return fork
            fork(record)
            return lambda record: None
        client.observe(observer)
        for uid in uids:
            print(client.wait_for_action(uid).status)
        print(os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]))
    """
    uids = [threaded.add(plan=Plan(duration=1)) for _ in range(2)]
    with Program(threaded, code.replace("IS_AT_END", str(is_at_end)), *uids) as program:
        assert program.end(30) == (0, "completed\ncompleted\n1\n", "")
