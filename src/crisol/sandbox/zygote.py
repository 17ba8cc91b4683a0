"""The zygote: the first process of a sandbox, which imports modules once and forks a keeper for every run.

Runs inside the sandbox. The zygote never runs code of the target: it only writes and compiles the target's
files. It does import the modules that the setup names, from the standard library and the dependencies.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import site
import socket
import sys
import traceback
from typing import Any

from crisol.sandbox import frames, recall, stage, tree, watch
from crisol.sandbox.keeper import keep

__all__ = ["main"]


def main(descriptor: int) -> None:
    """Run as the zygote, the first process of a sandbox: write the target's files, then fork keepers.

    ``descriptor`` is the file descriptor of the socket on which the setup and the jobs arrive. The function
    never returns: it ends the process when the socket is closed.
    """
    control = socket.socket(fileno=descriptor)
    try:
        setup, blobs = frames.receive(control)
        places = _prepare(setup, blobs)
        blobs.clear()  # every fork copies what stands in memory
        skipped, inherited = _warm(setup, places)
    except frames.ClosedError:
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - the host says it
        with contextlib.suppress(frames.ClosedError):
            frames.send(
                control, {"failed": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
            )
        os._exit(1)
    frames.send(control, {"ready": True, "skipped": skipped, "landlock": setup.get("landlock", 0)})
    _serve(control, places, setup, inherited)


def _prepare(setup: dict[str, Any], blobs: list[bytes]) -> tree.Places:
    """Isolate this process, write the files of target and dependencies, give up rights, and return the paths.

    ``setup`` and ``blobs`` are the first frame from the host. In a sandbox that isolates, the function may
    return in a child process, and it adds the keys ``filter`` and ``landlock`` to ``setup``.
    """
    isolated = setup["isolated"]
    os.umask(0o022)
    places = tree.Places(isolated=isolated, root=setup["root"], requires=len(setup["requires"]))
    contents = iter(blobs)
    if isolated:
        from crisol.sandbox import kernel, namespaces  # noqa: PLC0415 - Linux only

        keeper_filter, setup["filter"] = next(contents), next(contents)
        if setup["plan"] is not None:
            namespaces.enter(setup["plan"], setup["user"])
        else:
            namespaces.enter_wrapped()
    for place, names in zip(
        (places.target, *places.requires), (setup["tree"], *setup["requires"]), strict=True
    ):
        os.makedirs(place, exist_ok=True)
        if isolated:
            kernel.mount("tmpfs", place, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
        tree.write(place, {name: next(contents) for name in names})
        if isolated:
            kernel.protect(place, recursive=False)
    if isolated:
        os.makedirs(places.layer, exist_ok=True)
        kernel.protect("/", recursive=False)
        socket.sethostname(setup["host"])
        namespaces.become_nobody(setup["user"])
        kernel.set_dumpable(value=False)
        kernel.no_new_privileges()
        kernel.drop_bounding_set()
        kernel.install_filter(keeper_filter)
        kernel.one_arena()
        setup["landlock"] = kernel.landlock_abi()
    return places


def _warm(setup: dict[str, Any], places: tree.Places) -> tuple[list[str], stage.Inherited]:
    """Import what runs use, and return (modules that could not be imported, objects that each run inherits).

    ``setup`` is the head of the first frame: ``prelude`` is source to execute, ``preload`` names modules,
    ``patterns`` are regular expressions to compile, and ``files`` is for :class:`recall.Finder`.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True)  # type: ignore[union-attr]  # both are TextIOWrapper here
    sys.dont_write_bytecode = True
    for add in (site.setquit, site.setcopyright, site.sethelper):  # without them a patch knows the sandbox
        add()
    os.environ.clear()
    before = list(sys.path)
    sys.path[:0] = places.requires
    skipped = []
    if setup["prelude"]:
        exec(compile(setup["prelude"], "<prelude>", "exec"), {"__name__": "prelude"})  # noqa: S102 - the vulnerability's own
    for name in setup["preload"]:
        loaded = set(sys.modules)
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - whatever a dependency raises, it is then imported in the run or not at all
            skipped.append(name)
            for half in set(sys.modules) - loaded:
                del sys.modules[half]
    sys.path[:] = before
    sys.path_importer_cache.clear()
    recall.compile_patterns(setup["patterns"])
    finder = recall.Finder(places.target, setup["files"])
    watched = watch.Watch()
    gc.collect()
    if places.isolated:
        from crisol.sandbox import kernel  # noqa: PLC0415 - Linux only

        kernel.trim_memory()
    gc.freeze()
    return skipped, stage.Inherited(finder, watched)


def _serve(
    control: socket.socket, places: tree.Places, setup: dict[str, Any], inherited: stage.Inherited
) -> None:
    """Fork keepers so that one always waits for a job, and never return.

    The process ends with status 0 if the waiting keeper ended without a job, as it does when the host closes
    the socket, and with status 1 if a keeper failed.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    keepers: dict[int, int] = {}
    while True:
        reading, taken = os.pipe()
        keeper = _fork(places)
        if keeper == 0:
            os.close(reading)
            for ended in keepers:
                os.close(ended)
            keep(control, taken, places, setup, inherited)
        os.close(taken)
        if hasattr(os, "pidfd_open"):
            keepers[os.pidfd_open(keeper)] = keeper
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        for ended in keepers:
            poll.register(ended, select.POLLIN)
        waiting = True
        while waiting:
            for ready, _event in poll.poll():
                if ready == reading:
                    waiting = False
                    if os.read(reading, 1) == b"":
                        os._exit(0)
                elif ready in keepers:
                    poll.unregister(ready)
                    status = os.waitpid(keepers.pop(ready), 0)[1]
                    os.close(ready)
                    if status:
                        os._exit(1)
        os.close(reading)


def _fork(places: tree.Places) -> int:
    if not places.isolated:
        return os.fork()
    from crisol.sandbox import kernel  # noqa: PLC0415 - Linux only

    kernel.unshare(kernel.CLONE_NEWPID)
    child = os.fork()
    if child:
        # The kernel allows the next unshare only to a process whose children stay in its own namespace.
        own = os.pidfd_open(os.getpid())
        kernel.setns(own, kernel.CLONE_NEWPID)
        os.close(own)
    return child
