"""The lines between a process of several programs and its client."""

import pytest

from fake_dra_driver.hosting.protocol import Exited, Message, Output, SendSignal, Start, decode, encode


@pytest.mark.parametrize(
    "message",
    [
        Start(1, ["kubelet-plugin", "--v=5"], {"NODE_NAME": "näme\n"}),
        SendSignal(1, 9),
        Output(1, "two\nlines \udcff"),
        Exited(1, -9),
    ],
)
def test_a_message_is_one_line_and_comes_back_as_it_was(message: Message) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'["Stop",{"id":1}]',
        b'["Exited",{"id":1}]',
        b'["Exited",3]',
        b'["Exited",{"id":1,"code":"0"}]',
        b'["Output",{"id":[],"text":""}]',
        b'["Output",{"id":1,"text":3}]',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="no message of this protocol"):
        decode(line)
