"""A machine for the scripts of nixos-tests/, with the interface of NixOS' own test driver.

It is a booted Debian with the units, users and files that NixOS would make for a node. Missing,
compared with the driver of NixOS:

- machines with a separate kernel and network: all machines of a test share one loopback interface,
  each with its own address (127.0.1.1, 127.0.1.2, …), under which the others know it
- reboot, block and unblock, forward_port; screenshots, keyboard, QEMU's monitor
- NixOS itself: firewall, activation, switching configurations

https://nixos.org/manual/nixos/stable/#sec-nixos-tests
"""

import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from support.systemd.nspawn import Booted

PATIENCE: Final = 900
"""Seconds, as in NixOS' driver; a test's own time limit is shorter."""
PAUSE: Final = 0.1


class Machine:
    def __init__(self, name: str, boot: Callable[[], AbstractContextManager[Booted]]) -> None:
        self.name = name
        self._boot = boot
        self._running: AbstractContextManager[Booted] | None = None
        self._booted: Booted | None = None

    # --- on and off ----------------------------------------------------------------------------

    @property
    def booted(self) -> Booted:
        self.start()
        assert self._booted is not None
        return self._booted

    def start(self) -> None:
        if self._running is None:
            running = self._boot()
            self._booted = running.__enter__()
            self._running = running

    def shutdown(self) -> None:
        if self._running is not None:
            running, self._running, self._booted = self._running, None, None
            running.__exit__(None, None, None)

    # --- commands ------------------------------------------------------------------------------

    def execute(
        self,
        command: str,
        check_return: bool = True,  # noqa: FBT001, FBT002, ARG002 - NixOS' interface
        check_output: bool = True,  # noqa: FBT001, FBT002, ARG002
        timeout: int | None = PATIENCE,
    ) -> tuple[int, str]:
        """Status and standard output; standard error is shown when a test fails."""
        script = f"set -euo pipefail; {command}"
        done = subprocess.run(
            [*self.booted.inside, "bash", "-c", script],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=timeout,
        )
        return done.returncode, done.stdout.decode(errors="replace")

    def succeed(self, *commands: str, timeout: int | None = None) -> str:
        return self._each(commands, timeout, lambda status: status == 0, "failed")

    def fail(self, *commands: str, timeout: int | None = None) -> str:
        return self._each(commands, timeout, lambda status: status != 0, "unexpectedly succeeded")

    def _each(
        self,
        commands: tuple[str, ...],
        timeout: int | None,
        wanted: Callable[[int], bool],
        otherwise: str,
    ) -> str:
        output = ""
        for command in commands:
            status, out = self.execute(command, timeout=timeout or PATIENCE)
            if not wanted(status):
                raise AssertionError(
                    f"{self.name}: command `{command}` {otherwise} (exit code {status})\n{out}"
                )
            output += out
        return output

    # --- waiting -------------------------------------------------------------------------------

    def wait_until_succeeds(self, command: str, timeout: int = PATIENCE) -> str:
        outcome = (1, "")

        def succeeded() -> bool:
            nonlocal outcome
            outcome = self.execute(command)
            return outcome[0] == 0

        self._until(succeeded, f"`{command}` to succeed", timeout)
        return outcome[1]

    def wait_until_fails(self, command: str, timeout: int = PATIENCE) -> str:
        self._until(lambda: self.execute(command)[0] != 0, f"`{command}` to fail", timeout)
        return ""

    def wait_for_unit(self, unit: str, user: str | None = None, timeout: int = PATIENCE) -> None:
        assert user is None, "units of users are not run here"

        def active() -> bool:
            info = self.get_unit_info(unit)
            if info["ActiveState"] == "failed":
                raise AssertionError(f"unit {unit} failed:\n{self.journal(unit)}")
            if info["ActiveState"] == "inactive" and info.get("Job", "0") in ("", "0"):
                raise AssertionError(f"unit {unit} is inactive and there are no pending jobs")
            return info["ActiveState"] == "active"

        self._until(active, f"unit {unit}", timeout)

    def wait_for_open_port(self, port: int, addr: str = "localhost", timeout: int = 900) -> None:
        self._until(lambda: self._connects(port, addr), f"port {port} to open", timeout)

    def wait_for_closed_port(self, port: int, addr: str = "localhost", timeout: int = 900) -> None:
        self._until(lambda: not self._connects(port, addr), f"port {port} to close", timeout)

    def wait_for_file(self, filename: str, timeout: int = PATIENCE) -> None:
        self.wait_until_succeeds(f"test -e {shlex.quote(filename)}", timeout)

    def _connects(self, port: int, addr: str) -> bool:
        return self.execute(f"exec 2>/dev/null; : < /dev/tcp/{addr}/{port}")[0] == 0

    def _until(self, holds: Callable[[], bool], what: str, timeout: float) -> None:
        """Asks again and again, as NixOS' driver does, until it holds or the machine has ended."""
        deadline = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: waited {timeout} s for {what}")
            if self.booted.wait(PAUSE):
                raise AssertionError(f"{self.name} ended while waiting for {what}")

    # --- units ---------------------------------------------------------------------------------

    def systemctl(self, q: str, user: str | None = None) -> tuple[int, str]:
        assert user is None, "units of users are not run here"
        return self.execute(f"systemctl {q}")

    def get_unit_info(self, unit: str, user: str | None = None) -> dict[str, str]:
        _, shown = self.systemctl(f"--no-pager show {shlex.quote(unit)}", user)
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def get_unit_property(self, unit: str, property: str) -> str:  # noqa: A002 - NixOS' interface
        return self.get_unit_info(unit)[property]

    def require_unit_state(self, unit: str, require_state: str = "active") -> None:
        state = self.get_unit_property(unit, "ActiveState")
        assert state == require_state, f"unit {unit} is {state}, not {require_state}"

    def start_job(self, jobname: str) -> tuple[int, str]:
        return self.systemctl(f"start {shlex.quote(jobname)}")

    def stop_job(self, jobname: str) -> tuple[int, str]:
        return self.systemctl(f"stop {shlex.quote(jobname)}")

    def journal(self, unit: str) -> str:
        """The unit's log. Not in NixOS' driver: for messages of failed tests only."""
        return self.execute(f"journalctl --no-pager --output=cat --unit={unit}")[1][-6000:]


@contextmanager
def subtest(name: str) -> Iterator[None]:
    """Names the part of a script that follows."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in the subtest: {name}")
        raise


def script_globals(machines: Mapping[str, Machine]) -> dict[str, object]:
    """The names that a test script finds, as in NixOS' driver."""

    def start_all() -> None:
        for machine in machines.values():
            machine.start()

    return {
        **machines,
        "machines": list(machines.values()),
        "start_all": start_all,
        "subtest": subtest,
    }
