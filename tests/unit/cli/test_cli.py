"""What the program prints and returns: help, versions, and what is wrong with flags and variables."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fake_dra_driver import __version__, cli
from fake_dra_driver.cluster import RELEASES
from fake_dra_driver.demo.settings import FAULTS, ClusterUpSettings
from fake_dra_driver.dra.program.commandline import Command
from fake_dra_driver.driver.commandline import GO_ONLY_FLAGS
from fake_dra_driver.driver.programs.settings import ControllerSettings, KubeletPluginSettings
from fake_dra_driver.flags import UsageError, parse
from fake_dra_driver.packaging.settings import GenerateSettings
from fake_dra_driver.settings import Settings, settings_of
from tests.support.untrusted import HOSTILE_NAMES, assert_harmless, id_of

NODE = ["--namespace=fake-system", "--node-name=node-1"]
COMMANDS = cli.REFERENCE


def _problems(model: type[Settings], *arguments: str) -> tuple[str, ...]:
    with pytest.raises(UsageError) as caught:
        parse(model, arguments)
    return caught.value.problems


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {command.split()[0]} " in printed for command in COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], ["cluster", "--help"]])
def test_the_overview_fits_the_terminal(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(arguments) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["cluster", "--help"], 0), (["help", "cluster"], 0), (["cluster", "-h"], 0), (["cluster"], 2)],
)
def test_a_group_of_commands_says_what_is_in_it(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == status
    printed = capsys.readouterr()
    assert printed.out.startswith("Usage: fake-dra-driver cluster <command> [flags]\n")
    assert "\n  up " in printed.out
    assert "\n  fault " in printed.out
    assert "controller" not in printed.out
    assert printed.err == ""


def test_a_command_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert capsys.readouterr().out.startswith("Usage: fake-dra-driver <command> [flags]\n")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"fake-dra-driver {__version__}\n"
    assert cli.main(["controller", "--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["contoller"],
            "fake-dra-driver: there is no command 'contoller'. Did you mean 'fake-dra-driver controller'?\n",
        ),
        (["contoller", "--help"], "there is no command 'contoller'."),
        (["clster", "up"], "Did you mean 'fake-dra-driver cluster'?"),
        (["up"], "Did you mean 'fake-dra-driver cluster up'?"),
        (
            ["cluster", "fautl"],
            "fake-dra-driver cluster: there is no command 'fautl'. Did you mean 'fake-dra-driver cluster fault'?",
        ),
        (["stop-node"], "Did you mean 'fake-dra-driver cluster fault stop-node'?"),
        (["cluster", "explode"], "there is no command 'explode'. There are: up, status, node, fault, down.\n"),
        (
            ["cluster", "--nodes=2"],
            "a command has to come before --nodes=2. There are: up, status, node, fault, down.\n",
        ),
        (["explode"], "Run 'fake-dra-driver --help' for what they do.\n"),
    ],
)
def test_an_unknown_command(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--node=2"], "--node=2: there is no such flag. Did you mean --nodes?"),
        (["--no-drivers"], "--no-drivers: there is no such flag. Did you mean --no-driver?"),
    ],
)
def test_a_flag_that_does_not_exist(arguments: list[str], problem: str) -> None:
    assert _problems(ClusterUpSettings, *arguments) == (problem,)


def test_flags_are_listed_where_they_are_few() -> None:
    problem = "--replicas=2: there is no such flag. There are --check, --output."
    assert _problems(GenerateSettings, "--replicas=2") == (problem,)


def test_a_variable_means_the_same_to_every_command() -> None:
    """It may be set for a whole shell: what one command takes for a number must not be a list of names to another."""
    meanings: dict[str, set[str]] = {}
    for model in COMMANDS.values():
        for setting in settings_of(model):
            meanings.setdefault(setting.variables[0], set()).add(setting.allowed)
    assert {variable: allowed for variable, allowed in meanings.items() if len(allowed) > 1} == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_tells_all_about_each_setting(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*command.split(), "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for setting in settings_of(COMMANDS[command]):
        assert setting.flag in printed
        assert setting.description in printed
        assert f"Environment: {', '.join(setting.variables)}" in printed
        if not setting.is_switch:
            assert f"Allowed: {setting.allowed}." in printed
            assert ("Required." if setting.required else f"Default: {setting.default_text}.") in printed


@pytest.mark.parametrize(
    ("entry_point", "program"),
    [
        (cli.controller, "fake-dra-controller"),
        (cli.kubelet_plugin, "fake-dra-kubeletplugin"),
        (cli.set_nas_status, "set-nas-status"),
    ],
)
def test_the_go_drivers_command_names(
    entry_point: Callable[[], int], program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    assert entry_point() == 0
    assert capsys.readouterr().out.startswith(f"Usage: {program} [flags]\n")
    monkeypatch.setattr(sys, "argv", [program])
    assert entry_point() == 2
    assert "--namespace (FAKE_DRA_NAMESPACE, POD_NAMESPACE): must be set." in capsys.readouterr().err


def test_everything_that_is_wrong_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKERS", "many")
    assert cli.main(["controller", "--kube-api-qps=-1", "--nonsense", "stray"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "fake-dra-driver controller: cannot start:",
        "  --nonsense: there is no such flag.",
        "  stray: not expected here.",
        "  --namespace (FAKE_DRA_NAMESPACE, POD_NAMESPACE): must be set. "
        "Allowed: name of a namespace (RFC 1123 label).",
        '  --kube-api-qps (FAKE_DRA_KUBE_API_QPS, KUBE_API_QPS): "-1" is not allowed. '
        "Allowed: a number from 0 to 1000000.",
        '  --workers (FAKE_DRA_WORKERS, WORKERS): "many", from WORKERS, is not allowed. '
        "Allowed: a whole number from 1 to 1000.",
        "Run 'fake-dra-driver controller --help' for all settings.",
    ]


@pytest.mark.parametrize("variable", ["FAKE_DRA_V", "V"])
def test_message_names_the_variable_that_is_wrong(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "loud")
    assert _problems(ControllerSettings, "--namespace=a") == (
        f'--v (FAKE_DRA_V, V): "loud", from {variable}, is not allowed. Allowed: a whole number, at least 0.',
    )


def test_reason_is_told_where_the_bounds_do_not_tell_it() -> None:
    (problem,) = _problems(KubeletPluginSettings, *NODE, "--checkpoint-path=/etc/cdi/c")
    assert "it is in the folder of --cdi-root" in problem


@pytest.mark.parametrize("flag", ["--checkpoint-path", "--http-endpoint", "--cdi-root"])
def test_flag_without_value(flag: str) -> None:
    (problem,) = _problems(KubeletPluginSettings, *NODE, flag)
    assert problem.startswith(f"{flag} (FAKE_DRA_")
    assert "the flag needs a value" in problem


@pytest.mark.parametrize("flag", GO_ONLY_FLAGS)
def test_flags_that_only_the_go_driver_has_are_explained(flag: str) -> None:
    (problem,) = _problems(ControllerSettings, "--namespace=a", f"{flag}=x")
    assert (
        problem == f"{flag}: this flag of the Go driver does not exist here, since {GO_ONLY_FLAGS[flag]}. Leave it out."
    )


@pytest.mark.parametrize("arguments", [["-v=5"], ["-v5"], ["-v", "5"], ["--v=5"], ["--v", "5"], ["-v=1", "-v=5"]])
def test_verbosity_as_the_go_driver_takes_it_and_the_last_one_wins(arguments: list[str]) -> None:
    assert parse(ControllerSettings, ["--namespace=a", *arguments]).verbosity == 5


def test_flag_may_be_empty_though_a_variable_may_not() -> None:
    settings = parse(ControllerSettings, ["--namespace=a", "--metrics-path=", "--http-endpoint="])
    assert settings.metrics_path == ""
    assert settings.http_endpoint is None


def test_flags_are_not_abbreviated() -> None:
    assert _problems(ControllerSettings, "--namespace=a", "--work=3") == (
        "--work=3: there is no such flag. Did you mean --workers?",
    )


KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""
"""Of a cluster that is away."""


def _command(error: BaseException) -> Command[GenerateSettings]:
    def run(settings: GenerateSettings) -> int:
        raise error

    return Command("generate", GenerateSettings, run)


def test_expected_failure_is_one_sentence_each(capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("tasks", [OSError("no space left"), ExceptionGroup("more", [OSError("no socket")])])
    assert cli.COMMAND_LINE.run(_command(group), "program", []) == 1
    assert capsys.readouterr().err == "program: no space left\nprogram: no socket\n"


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=id_of)
def test_what_others_wrote_is_escaped_on_a_persons_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Such as the message of an API server, or what kubectl has said in several lines."""
    error = OSError(f"the server says {name}\nand more: {name}")
    assert cli.COMMAND_LINE.run(_command(error), "program", []) == 1
    said = capsys.readouterr().err
    assert_harmless(said, longest=10_000, keeps_newlines=True)
    first, *others = said.removesuffix("\n").split("\n")
    assert first.startswith("program: the server says ")
    assert [line for line in others if not line.startswith("  ")] == []


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=id_of)
@pytest.mark.parametrize(
    "arguments", [["{}"], ["status", "--{}"], ["status", "--output={}"], ["status", "{}"], ["-{}"]]
)
def test_what_was_typed_is_escaped(arguments: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([argument.format(name) for argument in arguments]) == 2
    assert_harmless(capsys.readouterr().err, longest=10_000, keeps_newlines=True)


def test_a_fault_of_ours_shows_no_escapes_of_others(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom fake_dra_driver import cli\n"
        "def fail(_): raise ValueError('bug \\x1b[2J\\u202e' + 'x' * 900_000)\n"
        "cli.COMMAND_LINE.commands['generate'].__class__.run = property(lambda self: fail)\n"
        "sys.exit(cli.main(['generate']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert_harmless(done.stderr, longest=10_000, keeps_newlines=True)
    assert "ValueError: bug \\x1b[2J\\u202exxx" in done.stderr


def _program(*arguments: str, home: Path) -> tuple[int, str]:
    """The status and the last line of the program, in a process of its own with nothing in its environment."""
    command = [sys.executable, "-m", "fake_dra_driver", *arguments]
    done = subprocess.run(command, env={"HOME": str(home)}, capture_output=True, text=True)
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for the names of sockets."""
    with tempfile.TemporaryDirectory(prefix="fdd-") as path:
        yield Path(path)


@pytest.mark.parametrize("folder", ["kubelet-registry-dir", "kubelet-plugins-dir", "cdi-root"])
def test_folder_that_cannot_be_used_is_named_with_its_setting(folder: str, short_path: Path) -> None:
    (short_path / "file").touch()
    (short_path / "kubeconfig").write_text(KUBECONFIG)
    folders = {name: short_path / name for name in ("kubelet-registry-dir", "kubelet-plugins-dir", "cdi-root")}
    folders[folder] = short_path / "file" / "below"
    flags = [f"--{name}={path}" for name, path in {**folders, "kubeconfig": short_path / "kubeconfig"}.items()]
    status, problem = _program("kubelet-plugin", *NODE, *flags, home=short_path)
    assert status == 1
    assert re.match("fake-dra-driver kubelet-plugin: cannot (use|read) ", problem)
    assert f"{short_path}/file/below" in problem
    assert f"--{folder} (FAKE_DRA_{folder.replace('-', '_').upper()}" in problem


def test_checkpoint_is_kept_where_the_setting_says(short_path: Path) -> None:
    (short_path / "file").touch()
    (short_path / "kubeconfig").write_text(KUBECONFIG)
    folders = {name: short_path / name for name in ("kubelet-registry-dir", "kubelet-plugins-dir", "cdi-root")}
    files = {"kubeconfig": short_path / "kubeconfig", "checkpoint-path": short_path / "file" / "below" / "checkpoint"}
    flags = [f"--{name}={path}" for name, path in {**folders, **files}.items()]
    status, problem = _program("kubelet-plugin", *NODE, *flags, home=short_path)
    assert status == 1
    assert problem == f"fake-dra-driver kubelet-plugin: cannot use {short_path}/file/below: Not a directory"


def test_missing_credentials_are_told_with_the_setting_that_names_them(tmp_path: Path) -> None:
    status, problem = _program("controller", "--namespace=a", home=tmp_path)
    assert status == 1
    assert problem.startswith("fake-dra-driver controller: No credentials for an API server")
    assert "--kubeconfig (FAKE_DRA_KUBECONFIG)" in problem


@pytest.mark.parametrize(
    "error", [ValueError("a fault of ours"), ExceptionGroup("tasks", [OSError("x"), ValueError("a fault of ours")])]
)
def test_fault_of_ours_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        cli.COMMAND_LINE.run(_command(error), "program", [])


def test_interrupt_before_signals_are_handled() -> None:
    assert cli.COMMAND_LINE.run(_command(KeyboardInterrupt()), "program", []) == 130


def test_what_is_on_by_default_can_be_turned_off() -> None:
    assert parse(ClusterUpSettings, []).driver
    assert parse(ClusterUpSettings, ["--driver"]).driver
    assert not parse(ClusterUpSettings, ["--no-driver"]).driver
    assert not parse(ClusterUpSettings, ["--driver=false"]).driver


def test_the_embedded_cluster_can_be_like_every_release_that_it_knows() -> None:
    assert [parse(ClusterUpSettings, [f"--kubernetes-version={each}"]).kubernetes_version for each in RELEASES] == [
        *RELEASES
    ]
    assert parse(ClusterUpSettings, ["--kubernetes-version=v1.37.2"]).kubernetes_version == "1.37"


def test_gates_and_versions_of_the_embedded_cluster() -> None:
    settings = parse(
        ClusterUpSettings, ["--feature-gates=A=true,B=false", "--runtime-config=resource.k8s.io/v1beta1=true"]
    )
    assert settings.feature_gates == {"A": True, "B": False}
    assert settings.runtime_config == {"resource.k8s.io/v1beta1": True}


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--kubernetes-version=1.31", "its DRA is a version of its own, v1alpha3, which neither the driver nor the"),
        ("--kubernetes-version=1.26", '"1.26" is not allowed. Allowed: 1.27 or 1.28 or '),
        ("--feature-gates=A", "expected A=true or A=false"),
    ],
)
def test_a_cluster_that_there_is_not(argument: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cluster", "up", argument]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("command", [["cluster", "up"], ["demo"]])
def test_a_library_of_the_embedded_cluster_is_missing(command: list[str]) -> None:
    program = "import sys; sys.modules['aiohttp'] = None; from fake_dra_driver.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"fake-dra-driver {' '.join(command)}: the library aiohttp is not installed: "
        "in the source tree, run make install or pip install '.[cluster]'\n"
    )


def test_the_faults_are_a_group_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cluster", "fault"]) == 2
    printed = capsys.readouterr()
    assert re.findall(r"^  ([a-z]\S+)  ", printed.out, re.MULTILINE) == [model.fault for model in FAULTS]
    assert cli.main(["cluster", "fault", "stop-node", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: fake-dra-driver cluster fault stop-node [flags]\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["heal", "--times=3"], "--times=3: there is no such flag. There is only --kubeconfig."),
        (["stop-node", "--pod=a/b"], "--pod=a/b: there is no such flag. There are --kubeconfig, --node."),
        (["restart-apiserver", "--second=3"], "--second=3: there is no such flag. Did you mean --seconds?"),
        (["kill-container", "--pod=a/b/c"], '--pod (FAKE_DRA_POD): "a/b/c" is not allowed.'),
        (["fail-requests", "--times=-1"], '--times (FAKE_DRA_TIMES): "-1" is not allowed.'),
        (["fail-requests", "--answer=418"], '--answer (FAKE_DRA_ANSWER): "418" is not allowed.'),
        (["explode"], "there is no command 'explode'. There are: fail-requests, heal, "),
        (["stop-nod"], "Did you mean 'fake-dra-driver cluster fault stop-node'?"),
    ],
)
def test_a_fault_has_the_flags_that_belong_to_it(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["cluster", "fault", *arguments]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("name", ["kubeconfig", "missing"])
def test_the_cluster_of_a_kubeconfig_does_not_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kubeconfig").touch()
    assert cli.main(["cluster", "fault", "compact", f"--kubeconfig={tmp_path / name}"]) == 1
    said = f"{tmp_path / name} is not the kubeconfig of an embedded cluster that runs. "
    assert capsys.readouterr().err.startswith(f"fake-dra-driver cluster fault compact: {said}")
