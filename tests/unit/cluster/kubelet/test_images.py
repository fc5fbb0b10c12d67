"""What stands for images, and what containers of registered images get."""

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import pytest

from fake_dra_driver.cluster.kinds import ServiceAccount
from fake_dra_driver.cluster.kubelet.containerruntime.sleeper import Sleeper
from fake_dra_driver.cluster.kubelet.containersetup.images import Image, Images, NoImageError
from fake_dra_driver.cluster.kubelet.containersetup.serviceaccount import ServiceAccountKubeconfig
from fake_dra_driver.cluster.kubelet.pod import Container
from tests.unit.cluster.kubelet.world import World, container, pod, status_of

IMAGE = "example.com/driver:v1"


def spec(**fields: object) -> Container:
    return Container.model_validate({"name": "ctr0", "image": IMAGE, **fields})


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({}, ("enter", "point", "arg")),
        ({"args": ["other"]}, ("enter", "point", "other")),
        ({"command": ["mine"]}, ("mine",)),
        ({"command": ["mine"], "args": ["a", "b"]}, ("mine", "a", "b")),
    ],
)
def test_command_and_args_complete_each_other_as_in_docker(fields: dict[str, object], command: tuple[str, ...]) -> None:
    images = Images({IMAGE: Image(entrypoint=("enter", "point"), cmd=("arg",))})
    assert tuple(images.command(spec(**fields))) == command


def test_without_an_image_a_container_needs_a_command() -> None:
    assert Images().command(spec(command=["x"])) == ("x",)
    with pytest.raises(NoImageError) as raised:
        Images({"a:1": Image(), "b:2": Image()}).command(spec(args=["x"]))
    assert str(raised.value) == (
        f'image "{IMAGE}" is not pulled, since containers of this cluster are processes of this machine: '
        "give the container a command or one of the images a:1, b:2, or start the cluster with --unknown-images=sleep "
        "to have such containers sleep"
    )
    with pytest.raises(NoImageError):
        Images({IMAGE: Image()}).command(spec())


def test_ports_that_are_given_out_are_free_and_not_the_same() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [server.getsockname()[1] for server in (one, other)]
        with pytest.raises(OSError, match=r"all ports from .* are taken"):
            Images(ports=ports).free_port()
        other.close()
        assert Images(ports=ports).free_port() == ports[1]
    images = Images(ports=ports)
    assert {images.free_port(), images.free_port()} == set(ports)


async def test_a_container_without_a_command_says_what_would_be_possible(node: World) -> None:
    await node.create(pod("pod0", {"name": "ctr0", "image": "nginx:1.25"}))
    waiting = await node.until(
        "pod0",
        lambda pod: (
            pod.status.container_statuses and getattr(status_of(pod).state.waiting, "reason", "") == "ImagePullBackOff"
        ),
    )
    state = status_of(waiting).state.waiting
    assert state is not None
    assert state.message == (
        'image "nginx:1.25" is not pulled, since containers of this cluster are processes of this machine: '
        "give the container a command, or start the cluster with --unknown-images=sleep to have such containers sleep"
    )
    await node.until_event("pod0", "Failed", 'Failed to pull image "nginx:1.25": image "nginx:1.25" is not pulled')
    await node.until_event("pod0", "Failed", "Error: ErrImagePull")
    await node.until_event("pod0", "BackOff", 'Back-off pulling image "nginx:1.25"')


async def test_containers_of_unknown_images_can_be_told_to_sleep(world: World) -> None:
    images = Images({"known": Image()}, unknown="sleep")
    probe = {"exec": {"command": ["no-such-program"]}, "periodSeconds": 1}
    hooks = {"postStart": {"exec": {"command": ["no-such-program"]}}, "preStop": {"httpGet": {"port": 1}}}
    await world.start(images=images)
    await world.create(
        pod(
            "pod0",
            {"name": "ctr0", "image": "nginx:1.25", "readinessProbe": probe, "startupProbe": probe},
            {"name": "ctr1", "image": "tool", "command": ["no-such-program"], "lifecycle": hooks},
            container("echo it runs; sleep 1000", "ctr2"),
            initContainers=[{"name": "init", "image": "setup"}],
        )
    )
    await world.until_ready("pod0")
    what = "is not known to this cluster: the container sleeps"
    await world.until_event("pod0", "Pulled", f'Container image "nginx:1.25" {what}')
    await world.until_event(
        "pod0", "Pulled", 'Container image "setup" is not known to this cluster: the container ends'
    )
    beginning = "Nothing runs in this container: image"
    assert await world.log("pod0", "ctr0") == (
        f'{beginning} "nginx:1.25" is not known to this cluster, and its pod names no command\n'
    )
    assert await world.log("pod0", "ctr1") == (
        f'{beginning} "tool" is not known to this cluster, and "no-such-program" is not a program of this machine\n'
    )
    assert await world.log_until("pod0", "it runs\n", "ctr2") == "it runs\n"
    await world.delete("pod0")
    await world.until_gone("pod0")


def test_known_images_and_programs_never_sleep(tmp_path: Path) -> None:
    images = Images({IMAGE: Image(cmd=("no-such-program",))}, unknown="sleep")
    path = {"PATH": "/usr/bin:/bin"}
    assert images.why_it_sleeps(spec(), ("no-such-program",), path, tmp_path) == ""
    assert images.why_it_sleeps(spec(image="other", command=["sh"]), ("sh",), path, tmp_path) == ""
    assert Images().why_it_sleeps(spec(image="other"), (), path, tmp_path) == ""
    assert images.command(spec(image="other", args=["x"])) == ()


async def test_a_sleeper_ends_by_a_signal() -> None:
    sleeper = Sleeper("it sleeps")
    assert sleeper.signal_group(signal.SIGSTOP)
    sleeper.signal(signal.SIGTERM)
    assert await sleeper.wait() == -signal.SIGTERM
    assert await sleeper.output.read() == b"it sleeps\n"
    assert not sleeper.signal_group(signal.SIGKILL)
    sleeper.kill()


async def test_a_registered_image_brings_programs_variables_ports_and_credentials(world: World) -> None:
    folder = world.root / "programs"
    await asyncio.to_thread(folder.mkdir)
    program = folder / "driver"
    script = "import os, sys, time; print(sys.argv[1:], os.environ['FROM'], os.environ['KUBECONFIG'], flush=True)"
    program.write_text(f"#!{sys.executable}\n{script}; time.sleep(1000)\n")
    program.chmod(0o755)
    image = Image(
        cmd=("driver", "--listen=:8080"), env={"FROM": "image"}, path=(str(folder),), api_access=True, own_ports=True
    )
    await world.client.create(ServiceAccount.from_wire({"metadata": {"name": "account", "namespace": "default"}}))
    kubeconfig = ServiceAccountKubeconfig(world.client, "https://127.0.0.1:6443", b"certificate")
    await world.start(images=Images({IMAGE: image}), kubeconfig=kubeconfig)
    manifest = pod(
        "pod0",
        {"name": "ctr0", "image": IMAGE, "ports": [{"containerPort": 8080}]},
        serviceAccountName="account",
        terminationGracePeriodSeconds=0,
    )
    running = await world.run(manifest)
    line = (await world.log_until("pod0", "\n")).strip()
    (runtime_container,) = world.runtime.containers(running.uid)
    port = runtime_container.config.ports[8080]
    file = world.root / "var/lib/kubelet/pods" / running.uid / "kubeconfig"
    assert line == f"['--listen=127.0.0.1:{port}'] image {file}"
    assert file.stat().st_mode & 0o777 == 0o600
    config = json.loads(file.read_text())
    assert config["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:6443",
        "certificate-authority-data": "Y2VydGlmaWNhdGU=",
    }
    assert config["contexts"][0]["context"]["namespace"] == "default"
    assert await world.user_of(config["users"][0]["user"]["token"]) == "system:serviceaccount:default:account"
    await world.until_event("pod0", "Pulled", f'Container image "{IMAGE}" already present on machine')


async def test_programs_of_an_image_that_are_no_files(world: World) -> None:
    images = Images({IMAGE: Image(programs={"say": (sys.executable, "-c", "import sys; print(sys.argv[1:])")})})
    await asyncio.to_thread(images.unpack, world.root / "images")
    await world.start(images=images)
    hook = {"postStart": {"exec": {"command": ["sh", "-c", f"say 'from the hook' > {world.root}/said"]}}}
    spec = container("say 'one word'; exec sleep 1000", image=IMAGE, lifecycle=hook)
    await world.run(pod("pod0", spec))
    assert await world.log_until("pod0", "\n") == "['one word']\n"
    assert (world.root / "said").read_text() == "['from the hook']\n"


async def test_an_image_that_needs_the_api_without_credentials_and_without_an_account(world: World) -> None:
    images = Images({IMAGE: Image(api_access=True)})
    await world.start(images=images)
    await world.create(pod("pod0", container("true", image=IMAGE)))
    await world.until_event(
        "pod0", "Failed", "Error: the image needs the API server, and this cluster gives no credentials"
    )
    await world.stop()
    await world.start(kubeconfig=ServiceAccountKubeconfig(world.client, "https://x", b""))
    await world.create(pod("pod1", container("true", image=IMAGE), serviceAccountName="missing"))
    await world.until_event("pod1", "Failed", 'serviceaccounts "missing" not found')
