"""Conditions that no server makes: closed ports, badly pasted tokens, locked, full and damaged files.

Each is in the registry, so that the list of faults is complete; helpers make most of the conditions.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from faultkit.fault import FAULTS, Area, Fault
from hlkit.sim import Simulation, ids
from hlkit.sim.tokens import TOKEN

UNRESOLVABLE = "http://nowhere.invalid"  # a name that RFC 6761 keeps from resolving

PASTED = (
    f"{TOKEN}\n",
    f"\n{TOKEN}",
    f" {TOKEN} ",
    f"\t{TOKEN}\r\n",
    f"{TOKEN[:20]}\n{TOKEN[20:]}",
    f"{TOKEN[:20]} {TOKEN[20:]}",
    f"{TOKEN}\u200b",
    f"\ufeff{TOKEN}",
    f'"{TOKEN}"',
    f"'{TOKEN}'",
    f"“{TOKEN}”",
    f"Bearer {TOKEN}",
    TOKEN.replace("pit-", "Pit-"),
    "00000000-0000-0000-0000-000000000000",
    "eyJhbGciOiJIUzI1NiJ9.eyJsb2NhdGlvbl9pZCI6InNpbSJ9.c2ltdWxhdGVk",
    "",
    "   ",
)

Damage = Literal["garbage", "half", "header", "middle", "row", "pickle"]
DAMAGES: tuple[Damage, ...] = ("garbage", "half", "header", "middle", "row", "pickle")

SHIFTS = {"day_ahead": 86_400.0, "day_behind": -86_400.0, "summer_time": 3_600.0, "wrong_year": 365 * 86_400.0}

_LISTED: tuple[tuple[int, str, Area, str, tuple[str, ...]], ...] = (
    (1, "refuse_dns", "client", "nobody listens, or no such host: closed_port(), UNRESOLVABLE", ("port", "host")),
    (29, "two_tokens", "client", "two tokens, one address: neither may get the other's rows", ()),
    (30, "pasted", "client", "a token pasted with quotes, blanks or line ends: PASTED", ()),
    (31, "locked", "client", "another process holds the file: locked(path)", ()),
    (
        32,
        "full_readonly",
        "client",
        "a disk that is full, a file that cannot be written: full(folder), readonly(path)",
        ("full", "file", "folder"),
    ),
    (33, "corrupt", "client", "a damaged file: corrupt(path, how)", DAMAGES),
    (34, "sigkill", "client", "the process is killed at any point: killed(sim, request, arguments)", ()),
    (35, "old_file", "client", "a file that an earlier or a later version wrote", ("earlier", "later")),
    (36, "leftovers", "client", "what expired stays on disk; files made under umask(0)", ("expired", "umask")),
    (37, "clock", "client", "a clock that is wrong or jumps: shifted(clock, SHIFTS[...])", tuple(SHIFTS)),
    (38, "herd", "client", "many threads want one thing at once: together(n, call)", ("threads", "processes")),
    (39, "two_walks", "client", "two walks over one resource in one folder; a fork after connecting", ()),
    (40, "interrupt", "client", "Ctrl-C at any point: interrupted(sim, request)", ()),
    (42, "traceback", "client", "tracebacks with locals, of every class of error", ()),
    (43, "introspect", "client", "vars(), pickle, copy and repr of whatever a user can reach", ()),
)
for _number, _name, _area, _doc, _variants in _LISTED:
    FAULTS[_name] = Fault(_number, _name, _area, _doc, _variants)


def closed_port() -> str:
    """The address of a port on loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


_HOLD = """\
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Another process holds BEGIN EXCLUSIVE on an SQLite file."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, os.fspath(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        if holder.stdout.readline().strip() != b"held":
            raise RuntimeError(f"could not lock {os.fspath(path)}")
        yield
    finally:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()


@contextmanager
def readonly(path: str | os.PathLike[str]) -> Iterator[None]:
    """A file (0444) or a folder (0555) that cannot be written; root writes all the same."""
    target = Path(path)
    before = stat.S_IMODE(target.stat().st_mode)
    target.chmod(0o555 if target.is_dir() else 0o444)
    try:
        yield
    finally:
        target.chmod(before)


@contextmanager
def full(folder: str | os.PathLike[str], kilobytes: int = 512) -> Iterator[None]:
    """A small file system in an empty folder, to be filled; PermissionError where one may not mount (Linux, root)."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", os.fspath(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode
    except FileNotFoundError:
        done = 1
    if done:
        raise PermissionError(f"may not mount a file system on {os.fspath(folder)}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", os.fspath(folder)], capture_output=True, check=False)


@contextmanager
def umask(mode: int = 0) -> Iterator[None]:
    """Files are made with this umask."""
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)


def shifted(clock: Callable[[], float], by: float) -> Callable[[], float]:
    """A clock that is wrong by so many seconds."""
    return lambda: clock() + by


def killed(sim: Simulation, request: int, arguments: Sequence[str], seconds: float = 60.0) -> int:
    """Run a program and kill it with SIGKILL when its *request*-th request arrives; gives its exit code."""
    program = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sim.when(len(sim.log) + request, lambda logged: program.kill())
    try:
        return program.wait(seconds)
    finally:
        program.kill()
        program.wait()


def interrupted(sim: Simulation, request: int) -> None:
    """Press Ctrl-C, for the main thread, when the *request*-th request from now arrives."""
    main = threading.main_thread().ident
    assert main is not None
    sim.when(len(sim.log) + request, lambda logged: signal.pthread_kill(main, signal.SIGINT))


def together(count: int, call: Callable[[int], Any]) -> list[Any]:
    """What *count* threads that start at one instant get from ``call(number)``: results, or exceptions."""
    barrier, out = threading.Barrier(count), list[Any]([None] * count)

    def run(number: int) -> None:
        barrier.wait()
        try:
            out[number] = call(number)
        except Exception as error:
            out[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out


class Bomb:
    """An object that runs code when it is unpickled: it makes the file whose path it was given."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.mark,)


def corrupt(path: str | os.PathLike[str], how: Damage = "garbage", seed: int = 0) -> None:
    """Damage a file: all of it, its second half, its first page, its middle pages, or the values of its rows.

    "row" writes noise into each BLOB of an SQLite file, "pickle" a pickle that makes the folder
    ``<path>.exploded`` if anybody reads it.
    """
    target = Path(path)
    if how in ("row", "pickle"):
        _damage_rows(target, how, seed)
        return
    whole = target.read_bytes()
    noise = ids.generator(seed, how).bytes(max(len(whole), 4096))
    third = len(whole) // 3
    damaged = {
        "garbage": noise,
        "half": whole[: len(whole) // 2],
        "header": bytes(100) + whole[100:],
        "middle": whole[:third] + noise[: len(whole) - 2 * third] + whole[len(whole) - third :],
    }[how]
    target.write_bytes(damaged)


def _damage_rows(target: Path, how: Damage, seed: int) -> None:
    value = ids.generator(seed, how).bytes(300)
    if how == "pickle":
        value = pickle.dumps(Bomb(f"{target}.exploded"))
    store = sqlite3.connect(target)
    try:
        tables = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for _, column, kind, *_ in store.execute(f'PRAGMA table_info("{table}")').fetchall():
                if kind.upper() == "BLOB":
                    store.execute(f'UPDATE "{table}" SET "{column}" = ?', (value,))
        store.commit()
    finally:
        store.close()
