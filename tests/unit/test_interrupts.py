"""A Ctrl-C is never lost."""

from __future__ import annotations

import _thread
import time

import click
import pytest

from harness import cli


def test_a_ctrl_c_inside_a_finalizer_interrupts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python drops what a finalizer raises; the command ends with 130 nevertheless, and says so."""

    class Slow:
        def __del__(self) -> None:
            _thread.interrupt_main()
            time.sleep(0.05)

    @click.command("work")
    def work() -> None:
        Slow()  # gone at once, and the interrupt with it
        until = time.perf_counter() + 10
        while time.perf_counter() < until:
            pass

    monkeypatch.setattr(cli.cli, "get_command", lambda *_: work)
    with pytest.raises(SystemExit) as ended:
        cli.main(["work"])
    assert ended.value.code == cli.INTERRUPTED
    assert "Interrupted" in capsys.readouterr().err
