"""Tests of `_cli.setup.command`: `login`, `logout` and `profiles`."""

from __future__ import annotations

import stat
import sys
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keyring
import keyring.backends.null
import pytest

from redis_enterprise_actions._cli.main import main
from tests.secrecy import secrets_in
from tests.threaded_cluster import ThreadedCluster


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.memory_keyring import MemoryKeyring

pytestmark = pytest.mark.enable_socket

USER = "admin@example.com"
PASSWORD = "fake-password"
INLINE = 'profiles = { p = { user = "x" } }\n'
PROMPT = "Password for admin@example.com at "


@pytest.fixture(autouse=True)
def no_environment(threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the settings of the cluster out of the environment again."""
    for name in ("URL", "USER", "PASSWORD"):
        monkeypatch.delenv(f"REDIS_ENTERPRISE_{name}")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the file of profiles, which is not there yet."""
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config" / "config.toml"))
    return tmp_path / "config" / "config.toml"


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer the right password on a terminal; return the prompts."""
    shown: list[str] = []

    def answer(prompt: str) -> str:
        shown.append(prompt)
        return PASSWORD

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", answer)
    return shown


@contextmanager
def serving(**options: object) -> Iterator[ThreadedCluster]:
    """Serve another fake cluster."""
    other = ThreadedCluster(**options)
    other.start()
    try:
        yield other
    finally:
        other.stop()


def profiles(file: Path) -> dict[str, Any]:
    """Return the tables in the file."""
    found: dict[str, Any] = tomllib.loads(file.read_text())["profiles"]
    return found


class TestLogin:
    """`login` with a password for the keyring."""

    def test_works(
        self,
        threaded: ThreadedCluster,
        file: Path,
        memory_keyring: MemoryKeyring,
        prompts: list[str],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """It asks, tries the cluster with one GET, and writes what the next command uses."""
        url = threaded.cluster.url
        assert main(["login", "--url", url, "--user", USER, "--profile", "prod"]) == 0

        host = url.removeprefix("http://")
        output = capsys.readouterr()
        assert prompts == [f"{PROMPT}{host}: "]
        assert output.err == ""
        assert output.out.splitlines() == [
            f"wrote profile prod, the default, to {file}, and its password to the keyring",
            "try it: redis-actions list",
        ]
        assert profiles(file) == {"prod": {"url": url, "user": USER, "keyring": True}}
        assert memory_keyring.passwords == {("redis-actions", f"{USER}@{host}"): PASSWORD}
        assert [each.method for each in threaded.cluster.requests] == ["GET"]
        assert main(["list"]) == 0
        assert PASSWORD not in file.read_text()

    def test_several_urls(
        self,
        threaded: ThreadedCluster,
        file: Path,
        memory_keyring: MemoryKeyring,
        prompts: list[str],
    ) -> None:
        """Several URLs make one account; `logout` of the profile removes it."""
        urls = ["--url", threaded.cluster.url, "--url", "http://127.0.0.1:1"]
        assert main(["login", *urls, "--user", USER, "--profile", "prod"]) == 0

        host = threaded.cluster.url.removeprefix("http://")
        (account,) = memory_keyring.passwords
        assert account[1] == f"{USER}@127.0.0.1:1,{host}"
        assert main(["list", "--url", threaded.cluster.url]) == 0
        assert main(["logout"]) == 0
        assert memory_keyring.passwords == {}

    def test_second_profile(
        self, file: Path, threaded: ThreadedCluster, memory_keyring: MemoryKeyring,
        prompts: list[str], capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        """Without a name, another cluster becomes a profile that is named after its host."""
        file.parent.mkdir()
        file.write_text('default = "a"\n# b\n[profiles.a]\nurl = "https://a"\n')

        assert main(["login", "--url", threaded.cluster.url, "--user", USER]) == 0
        assert file.read_text().startswith('default = "a"\n# b\n[profiles.a]\nurl = "https://a"\n')
        assert profiles(file).keys() == {"a", "127.0.0.1"}
        assert "try it: redis-actions list --profile 127.0.0.1\n" in capsys.readouterr().out

    def test_other_port(
        self,
        file: Path,
        threaded: ThreadedCluster,
        memory_keyring: MemoryKeyring,
        prompts: list[str],
    ) -> None:
        """A profile of the same host with another port stays: the name gets the port."""
        file.parent.mkdir()
        old = '[profiles."127.0.0.1"]\nurl = "http://127.0.0.1:1"\nuser = "x"\n'
        file.write_text(old)

        assert main(["login", "--url", threaded.cluster.url, "--user", USER]) == 0
        host = threaded.cluster.url.removeprefix("http://")
        assert file.read_text().startswith(old)
        assert profiles(file).keys() == {"127.0.0.1", host}

    def test_again(
        self,
        file: Path,
        threaded: ThreadedCluster,
        memory_keyring: MemoryKeyring,
        prompts: list[str],
    ) -> None:
        """`login` alone gives the default profile another password; the file stays as it is."""
        file.parent.mkdir()
        text = (
            f'default = "p"\n[profiles.p]\nkeyring = true\nuser="{USER}"\n'
            f"url = ['{threaded.cluster.url}']"
        )
        file.write_text(text)

        assert main(["login"]) == 0
        assert file.read_text() == text
        assert list(memory_keyring.passwords.values()) == [PASSWORD]

    def test_left(
        self, threaded: ThreadedCluster, file: Path, memory_keyring: MemoryKeyring,
        prompts: list[str], monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        """Ctrl-C at the prompt changes nothing."""

        def leave(_: str) -> str:
            raise KeyboardInterrupt

        monkeypatch.setattr("getpass.getpass", leave)
        assert main(["login", "--url", threaded.cluster.url, "--user", USER]) == 130
        assert not file.exists()
        assert memory_keyring.passwords == {}


class TestRefused:
    """`login` that fails writes nothing."""

    @pytest.fixture(autouse=True)
    def nothing(self, file: Path, memory_keyring: MemoryKeyring) -> Iterator[None]:
        """Check that nothing was written."""
        yield
        assert not file.exists()
        assert memory_keyring.passwords == {}

    def test_wrong_password(
        self, threaded: ThreadedCluster, prompts: list[str], monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        """A wrong password is sent once, as clusters lock users out."""
        monkeypatch.setattr("getpass.getpass", lambda _: "wrong-password")

        assert main(["login", "--url", threaded.cluster.url, "--user", USER]) == 5
        assert capsys.readouterr().err == (
            "redis-actions: GET /v1/actions: the cluster answered 401. Check the user name and the "
            "password\nNothing was written.\n"
        )
        assert len(threaded.cluster.requests) == 1

    def test_unreachable(self, prompts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """A cluster that cannot be reached is named, with what to do."""
        assert main(["login", "--url", "https://127.0.0.1:1", "--user", USER]) == 5
        first, second = capsys.readouterr().err.splitlines()
        assert "Cannot connect to host 127.0.0.1:1" in first
        assert first.endswith(". Check that the node runs, its port (9443) and firewalls")
        assert second == "Nothing was written."

    def test_certificate(self, prompts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """An untrusted certificate is an error that says how to trust it."""
        with serving(tls="self-signed") as other:
            url = other.cluster.url
            assert main(["login", "--url", url, "--user", USER]) == 5
            assert other.cluster.requests == []
        first, _ = capsys.readouterr().err.splitlines()
        assert "--ca-cert" in first
        assert "--fingerprint" in first

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [(200, "<html>", 5), (404, "<html>", 5)],
    )
    def test_no_api(
        self, threaded: ThreadedCluster, prompts: list[str], status: int, body: str, code: int
    ) -> None:
        """Another web server is not written as a profile."""
        threaded.cluster.inject(times=None, status=status, body=body)

        assert main(["login", "--url", threaded.cluster.url, "--user", USER]) == code

    @pytest.mark.parametrize(
        ("arguments", "missing"),
        [
            ([], "--url (REDIS_ENTERPRISE_URL) and --user (REDIS_ENTERPRISE_USER)"),
            (["--url", "https://n1"], "--user (REDIS_ENTERPRISE_USER)"),
            (["--user", "u"], "--url (REDIS_ENTERPRISE_URL)"),
        ],
    )
    def test_missing(
        self, arguments: list[str], missing: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """All that is missing is named at once, with an example."""
        assert main(["login", *arguments]) == 2
        assert capsys.readouterr().err == (
            f"redis-actions: login needs {missing}, as in: redis-actions login --url "
            "https://cluster.example.com:9443 --user ops@example.com\n"
        )

    def test_no_keyring(
        self, prompts: list[str], capsys: pytest.CaptureFixture[str], memory_keyring: MemoryKeyring
    ) -> None:
        """Without a keyring, the error comes before the prompt, and says what else there is."""
        keyring.set_keyring(keyring.backends.null.Keyring())

        assert main(["login", "--url", "https://n1", "--user", USER]) == 2
        assert prompts == []
        assert capsys.readouterr().err == (
            "redis-actions: this machine has no keyring that can be used; or keep the password "
            "elsewhere: with --password-file FILE, which login writes, or with --password-command "
            "COMMAND, such as 'pass show redis'\n"
        )

    def test_no_library(
        self,
        prompts: list[str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Without the library, the error says what to install, and what else there is."""
        monkeypatch.setitem(sys.modules, "keyring", None)

        assert main(["login", "--url", "https://n1", "--user", USER]) == 2
        assert "pip install keyring; or keep the password elsewhere" in capsys.readouterr().err

    def test_no_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without a terminal, the error names the options that give a password."""
        assert main(["login", "--url", "https://n1", "--user", USER]) == 2
        assert capsys.readouterr().err == (
            "redis-actions: there is no terminal to ask for the password: give --password-command, "
            "or a --password-file that has it; --keyring keeps it in the keyring all the same\n"
        )

    def test_no_regular_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A file that cannot be read again, such as a pipe, is not one for a profile."""
        login = ["login", "--url", "https://n1", "--user", USER, "--password-file", "/dev/null"]

        assert main(login) == 2
        assert "/dev/null is no regular file: give --keyring, too" in capsys.readouterr().err

    def test_no_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A relative path in a directory that is gone is an error with the reason."""
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()

        assert main(["login", "--url", "https://n1", "--user", USER, "--password-file", "pw"]) == 2
        assert "the current directory cannot be used: No such file" in capsys.readouterr().err
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize("name", ["--x", "a\nb", "\udcff"])
    def test_name(self, name: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A name that cannot be typed after --profile is refused."""
        assert main(["login", "--url", "https://n1", "--user", USER, f"--profile={name}"]) == 2
        assert "the name of a profile must be printable, and not begin with -" in (
            capsys.readouterr().err
        )

    def test_url_with_password(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A URL with a password in it is refused, and not shown."""
        assert main(["login", "--url", f"https://u:{PASSWORD}@n1", "--user", USER]) == 2
        error = capsys.readouterr().err
        assert "profile n1 cannot be written: url is not a URL" in error
        assert secrets_in(error) == []


@pytest.mark.prints_password
class TestPlaces:
    """Passwords that are not in the keyring, and other credentials."""

    def login(self, threaded: ThreadedCluster, *options: str) -> int:
        """Run `login` for a profile."""
        return main(["login", "--url", threaded.cluster.url, "--profile", "p", *options])

    def test_command(
        self, threaded: ThreadedCluster, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A command becomes a setting of the profile, and gives the password."""
        command = f"printf {PASSWORD}"

        assert self.login(threaded, "--user", USER, "--password-command", command) == 0
        assert profiles(file)["p"] == {
            "url": threaded.cluster.url,
            "user": USER,
            "password_command": command,
        }
        assert capsys.readouterr().out.splitlines()[0] == f"wrote profile p, the default, to {file}"
        assert main(["list"]) == 0
        assert main(["login"]) == 0  # as the profile has it

    def test_failing_command(
        self, threaded: ThreadedCluster, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The error of a command is shown, and nothing is written."""
        assert self.login(threaded, "--user", USER, "--password-command", "false") == 2
        assert "password_command of profile p failed: false exited" in capsys.readouterr().err
        assert not file.exists()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
    def test_new_file(
        self, threaded: ThreadedCluster, file: Path, tmp_path: Path, prompts: list[str],
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        """A file that is not there is written, for the user alone, with the password asked for."""
        monkeypatch.chdir(tmp_path)

        assert self.login(threaded, "--user", USER, "--password-file", "pw") == 0
        assert len(prompts) == 1
        assert (tmp_path / "pw").read_text() == f"{PASSWORD}\n"
        assert stat.S_IMODE((tmp_path / "pw").stat().st_mode) == 0o600
        assert profiles(file)["p"]["password_file"] == str(tmp_path / "pw")
        assert f"and its password to {tmp_path / 'pw'}\n" in capsys.readouterr().out
        assert main(["list"]) == 0
        assert main(["login"]) == 0
        assert len(prompts) == 1

    def test_relative_file(
        self, threaded: ThreadedCluster, file: Path, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        """A relative path of a file with the password starts from the current directory."""
        (tmp_path / "pw").write_text(PASSWORD)
        (tmp_path / "pw").chmod(0o600)
        monkeypatch.chdir(tmp_path)

        assert self.login(threaded, "--user", USER, "--password-file", "pw") == 0
        assert profiles(file)["p"]["password_file"] == str(tmp_path / "pw")
        assert main(["list"]) == 0

    def test_unwritable_file(
        self, threaded: ThreadedCluster, file: Path, tmp_path: Path, prompts: list[str],
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        """A file that cannot be written is an error, and no profile is written."""
        (tmp_path / "f").write_text("")
        path = tmp_path / "f" / "pw"

        assert self.login(threaded, "--user", USER, "--password-file", str(path)) == 2
        assert f"{path} cannot be written: " in capsys.readouterr().err
        assert not file.exists()

    @pytest.mark.parametrize(
        ("text", "options", "error"),
        [
            (INLINE, ["--password-file", "pw"], "has an unusual form, and stays as it is"),
            (INLINE, ["--keyring"], "has an unusual form, and stays as it is"),
            ("", ["--password-file", "\udcff"], "profile 'p' has a setting that is not UTF-8"),
        ],
        ids=["file", "keyring", "no text"],
    )
    def test_unclear_change(
        self, threaded: ThreadedCluster, file: Path, tmp_path: Path, memory_keyring: MemoryKeyring,
        prompts: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
        text: str, options: list[str], error: str,
    ) -> None:  # fmt: skip
        """If a profile cannot be put into the file, its password is not written either."""
        file.parent.mkdir()
        file.write_text(text)
        monkeypatch.chdir(tmp_path)

        assert self.login(threaded, "--user", USER, *options) == 2
        assert error in capsys.readouterr().err
        assert file.read_text() == text
        assert list(tmp_path.iterdir()) == [file.parent]
        assert memory_keyring.passwords == {}

    @pytest.mark.parametrize("source", ["file", "command"])
    def test_into_keyring(
        self,
        threaded: ThreadedCluster,
        file: Path,
        tmp_path: Path,
        memory_keyring: MemoryKeyring,
        source: str,
    ) -> None:
        """With `--keyring`, the password of a file or a command goes to the keyring."""
        (tmp_path / "pw").write_text(PASSWORD)
        (tmp_path / "pw").chmod(0o600)
        value = f"cat {tmp_path}/pw" if source == "command" else f"{tmp_path}/pw"
        options = ["--user", USER, "--keyring", f"--password-{source}", value]

        assert self.login(threaded, *options) == 0
        assert list(memory_keyring.passwords.values()) == [PASSWORD]
        assert profiles(file)["p"].keys() == {"url", "user", "keyring"}

    def test_token(self, threaded: ThreadedCluster, file: Path, tmp_path: Path) -> None:
        """A token takes the place of the user and the password."""
        (tmp_path / "t").write_text("hunter2-hunter2")
        (tmp_path / "t").chmod(0o600)
        assert self.login(threaded, "--user", USER, "--password-command", f"echo {PASSWORD}") == 0
        threaded.cluster.inject(status=200, body='{"actions": [], "state-machines": []}')

        assert self.login(threaded, "--token-file", str(tmp_path / "t")) == 0
        assert profiles(file)["p"] == {
            "url": threaded.cluster.url,
            "token_file": str(tmp_path / "t"),
        }
        assert self.login(threaded, "--user", USER, "--password-command", f"echo {PASSWORD}") == 0
        assert profiles(file)["p"].keys() == {"url", "user", "password_command"}

    def test_settings(
        self, threaded: ThreadedCluster, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Connection options and the environment become settings; contrary ones go."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("REDIS_ENTERPRISE_USER", USER)
        monkeypatch.setenv("REDIS_ENTERPRISE_INSECURE", "yes")
        base = ["--password-command", f"echo {PASSWORD}"]
        options = ["--trusted-host", "n3", "--request-timeout", "1m", "--auth", "jwt"]

        assert self.login(threaded, *base, *options) == 0
        assert profiles(file)["p"] == {
            "url": threaded.cluster.url,
            "trusted_hosts": ["n3"],
            "user": USER,
            "auth": "jwt",
            "insecure": True,
            "request_timeout": 60.0,
            "password_command": f"echo {PASSWORD}",
        }
        monkeypatch.setenv("REDIS_ENTERPRISE_INSECURE", "no")
        assert self.login(threaded, "--fingerprint", "ab" * 32) == 0
        table = profiles(file)["p"]
        assert table["fingerprint"] == "ab" * 32
        assert "insecure" not in table
        assert table["auth"] == "jwt"
        assert table["password_command"] == f"echo {PASSWORD}"

    def test_client_certificate(self, file: Path, tmp_path: Path) -> None:
        """A client certificate needs no user; its path is written as an absolute one."""
        with serving(tls="own-ca", client_certificate=True) as other:
            for name, pem in (("ca", other.cluster.ca_pem), ("client", other.cluster.client_pem)):
                (tmp_path / name).write_text(pem)
            certificates = ["--ca-cert", str(tmp_path / "ca"), "--client-cert"]
            certificates.append(str(tmp_path / "client"))
            assert main(["login", "--url", other.cluster.url, *certificates]) == 0
            assert main(["list"]) == 0
        assert profiles(file)["127.0.0.1"].keys() == {"url", "client_cert", "ca_cert"}

    def test_other_cluster(self, threaded: ThreadedCluster, file: Path) -> None:
        """A profile that gets the URL of another cluster keeps its user only."""
        file.parent.mkdir()
        file.write_text(
            f'[profiles.p]\nurl = "https://other"\nuser = "{USER}"\nauth = "jwt"\n'
            'insecure = true\npassword_file = "other"\n'
        )

        assert self.login(threaded, "--password-command", f"echo {PASSWORD}") == 0
        assert profiles(file)["p"] == {
            "user": USER,
            "auth": "jwt",
            "url": threaded.cluster.url,
            "password_command": f"echo {PASSWORD}",
        }

    def test_forbidden(
        self, threaded: ThreadedCluster, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A user who may not see actions is accepted, with a warning."""
        threaded.cluster.inject(status=403)

        assert self.login(threaded, "--user", USER, "--password-command", f"echo {PASSWORD}") == 0
        error = capsys.readouterr().err
        assert "warning: GET /v1/actions: the cluster answered 403" in error
        assert "the permission view_status_of_cluster_action" in error
        assert "p" in profiles(file)

    def test_empty_list(self, threaded: ThreadedCluster, file: Path) -> None:
        """The API's own 404 is an answer of the cluster, too."""
        threaded.cluster.inject(status=404, body='{"error_code": "not_found"}')

        assert self.login(threaded, "--user", USER, "--password-command", f"echo {PASSWORD}") == 0


class TestProfiles:
    """`profiles` and `logout`."""

    @pytest.fixture(autouse=True)
    def written(self, file: Path) -> None:
        """Write a file of profiles."""
        file.parent.mkdir()
        file.write_text(
            'default = "b"\n[profiles.a]\nkeyring = true\npassword_command = "touch ran"\n'
            '[profiles.b]\nurl = ["https://n1", "https://n2"]\nuser = "ops"\nkeyring = true\n'
        )

    def test_profiles(
        self, lines: Callable[[], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`profiles` prints each profile with its cluster and user, and runs no command."""
        monkeypatch.chdir(tmp_path)

        assert main(["profiles"]) == 0
        assert lines() == ["a\t-\t-\t-", "b\thttps://n1 https://n2\tops\tdefault"]
        assert not (tmp_path / "ran").exists()

    def test_no_profiles(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Without profiles, the error names the file in which they would be."""
        file.write_text("")

        assert main(["profiles"]) == 2
        assert capsys.readouterr().err == f"redis-actions: there are no profiles in {file}\n"

    def test_logout_of_nothing(
        self, memory_keyring: MemoryKeyring, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Removing a password that is not there is an error."""
        assert main(["logout"]) == 2
        assert "the keyring has no password of ops@n1,n2" in capsys.readouterr().err

    def test_logout_of_urls(self, memory_keyring: MemoryKeyring) -> None:
        """`logout` takes several URLs in one `--url`, as all commands do."""
        memory_keyring.passwords["redis-actions", "ops@a:9443,b:9443"] = PASSWORD

        assert main(["logout", "--url", "https://a:9443,https://b:9443", "--user", "ops"]) == 0
        assert memory_keyring.passwords == {}

    def test_logout_of_whom(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`logout` needs a cluster and a user."""
        assert main(["logout", "--profile", "a"]) == 2
        assert "logout needs --profile, or --url and --user" in capsys.readouterr().err
