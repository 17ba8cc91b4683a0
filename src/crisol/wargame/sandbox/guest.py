"""Runs inside: isolates itself, then executes one script and reports on a channel that the target cannot forge.

Handed to a fresh interpreter (``python -I -S -B -c``) as text, with the request on standard input; it imports the
standard library alone. Every step that fails before the script starts ends in status 125 with the reason on
standard error, which the host reads as a failure of the sandbox, never as one of the patch.
"""

import ast
import base64
import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import struct
import sys
import types

FAILED = 125
NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
NOBODY = 65534
SYSCALLS = {
    # number of pivot_root, audit architecture, and what no script needs: tracing, other processes' memory, mounts,
    # namespaces, kernel modules, keys, bpf, perf, io_uring, userfaultfd, handles.
    "x86_64": (155, 0xC000003E, (
        101, 310, 311, 165, 166, 155, 161, 272, 308, 175, 313, 176, 246, 320, 248, 249, 250, 321, 298, 425, 426, 427,
        323, 303, 304, 167, 168, 169, 170, 171, 227, 159, 305, 428, 429, 430, 431, 432, 433, 442, 312, 438, 135, 139,
    )),
    "aarch64": (41, 0xC00000B7, (
        117, 270, 271, 40, 39, 41, 51, 97, 268, 105, 273, 106, 104, 294, 217, 218, 219, 280, 241, 425, 426, 427, 282,
        264, 265, 224, 225, 142, 161, 162, 112, 171, 266, 428, 429, 430, 431, 432, 433, 442, 272, 438, 92,
    )),
}  # fmt: skip
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Call the C library, raising OSError."""
    if getattr(libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def mount(source, target, kind=None, flags=0, data=None):
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    call("mount", *encoded[:3], ctypes.c_ulong(flags), encoded[3])


def bind(source, target):
    """Show a file or folder of the host at the same or another place, read-only."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "a"):
            pass
    mount(source, target, None, BIND | REC)
    # An unprivileged namespace may not lose flags that the host's mount carries.
    kept = os.statvfs(target).f_flag & (NOSUID | NODEV | NOEXEC | 1024 | 2048 | 4096)
    locked = kept & (NOSUID | NODEV | NOEXEC) | (kept & (1024 | 2048)) | ((kept & 4096) and 1 << 21)
    mount(None, target, None, BIND | REMOUNT | RDONLY | NOSUID | NODEV | locked)


def isolate(request):
    """Enter new namespaces and a root that holds nothing but what a script needs."""
    kinds = NEWNS | NEWPID | NEWNET | NEWIPC | NEWUTS | NEWCGROUP
    uid, gid = os.getuid(), os.getgid()
    if uid != 0 or libc.unshare(kinds) != 0:
        # Without root a namespace of users grants what the others need, and nothing outside.
        call("unshare", kinds | NEWUSER)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{NOBODY} {uid} 1"),
            ("gid_map", f"{NOBODY} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    mount(None, "/", None, REC | PRIVATE)
    root = request["mountpoint"]
    mount("tmpfs", root, "tmpfs", NOSUID | NODEV, f"size={request['scratch_mb']}m,mode=755")
    for folder in ("/usr", "/bin", "/sbin", "/lib", "/lib64", *request["prefixes"]):
        if os.path.islink(folder):
            os.symlink(os.readlink(folder), root + folder)
        elif os.path.isdir(folder):
            bind(folder, root + folder)
    for name in ("hosts", "localtime", "mime.types", "ld.so.cache", "nsswitch.conf"):
        if os.path.exists(f"/etc/{name}"):
            bind(os.path.realpath(f"/etc/{name}"), f"{root}/etc/{name}")
    with open(f"{root}/etc/passwd", "w") as file:
        file.write("nobody:x:65534:65534::/scratch:/bin/false\n")
    for name in ("null", "zero", "full", "urandom", "random"):
        bind_device(f"/dev/{name}", f"{root}/dev/{name}")
    for number, folder in enumerate(request["requires"]):
        bind(folder, f"{root}/requires/{number}")
    lay_target(request, root)
    for folder in ("scratch", "tmp", "var/tmp", "dev/shm", "proc"):
        os.makedirs(f"{root}/{folder}")
    size = f"size={request['scratch_mb']}m,mode=1777,nr_inodes=10000"
    mount("tmpfs", f"{root}/scratch", "tmpfs", NOSUID | NODEV, size)
    for folder in ("tmp", "var/tmp", "dev/shm"):
        os.makedirs(f"{root}/scratch/.{folder.replace('/', '-')}", mode=0o777)
        os.chmod(f"{root}/scratch/.{folder.replace('/', '-')}", 0o777)
        mount(f"{root}/scratch/.{folder.replace('/', '-')}", f"{root}/{folder}", None, BIND)
    os.makedirs(f"{root}/scratch/work", mode=0o777)
    os.chmod(f"{root}/scratch/work", 0o777)
    os.makedirs(f"{root}/old")
    os.chdir(root)
    pivot = SYSCALLS[os.uname().machine][0]
    if libc.syscall(ctypes.c_long(pivot), b".", b"old") != 0:
        raise OSError(ctypes.get_errno(), "pivot_root")
    os.chdir("/")
    request["work"] = "/scratch/work"
    request["path"] = ["/target", *(f"/requires/{number}" for number in range(len(request["requires"])))]


def spread(request):
    """Without isolation: a copy of the target and an empty folder, which the next run replaces."""
    root = request["mountpoint"]
    for name in os.listdir(root):
        shutil.rmtree(f"{root}/{name}", ignore_errors=True)
    lay_target(request, root)
    request["work"], request["path"] = f"{root}/work", [f"{root}/target", *request["requires"]]
    os.mkdir(request["work"])


def bind_device(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "a"):
        pass
    mount(source, target, None, BIND)


def lay_target(request, root):
    """Show the target with this run's files over it: an overlay where the kernel allows one, else a copy."""
    target = f"{root}/target"
    os.makedirs(target)
    files = request["overlay"]
    upper, work = f"{root}/.layers/upper", f"{root}/.layers/work"
    os.makedirs(upper)
    os.makedirs(work)
    try:
        if not request["isolated"] or set(":,\\") & set(request["tree"]):
            raise OSError("no privilege to mount, or a path that mount options cannot carry")
        option = "" if os.getuid() == 0 else ",userxattr"
        mount(
            "overlay",
            target,
            "overlay",
            0,
            f"lowerdir={request['tree']},upperdir={upper},workdir={work}{option}",
        )
    except OSError:
        shutil.copytree(request["tree"], target, dirs_exist_ok=True, symlinks=True)
    for name, content in files.items():
        path = f"{target}/{name}"
        stem, _ = os.path.splitext(os.path.basename(path))
        for stale in (path, f"{os.path.dirname(path)}/__pycache__/{stem}.{sys.implementation.cache_tag}.pyc"):
            if os.path.lexists(stale):
                os.unlink(stale)
        if content is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as file:
                file.write(base64.b64decode(content))


def loopback():
    """Bring the loopback device of the new network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        request = struct.pack("16sH14x", b"lo", 1)
        import fcntl

        fcntl.ioctl(channel, 0x8914, request)


def limit(request):
    """Limit what the script's process and its children may use."""
    limits = {
        resource.RLIMIT_AS: request["memory_mb"] << 20,
        resource.RLIMIT_FSIZE: request["file_mb"] << 20,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in limits.items():
        resource.setrlimit(kind, (value, value))
    # The soft limit ends with a signal that tells why, the hard one a second later with one that nobody can ignore.
    seconds = max(1, int(request["cpu_seconds"] + 0.999))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def confine(request):
    """Give up every privilege for good."""
    if os.getuid() == 0:
        # A user of its own for each run: its processes count for themselves, and root's would not count at all.
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(request["uid"], request["uid"], request["uid"])
    resource.setrlimit(resource.RLIMIT_NPROC, (request["processes"], request["processes"]))
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)
    call("capset", struct.pack("Ii", 0x20080522, 0), b"\0" * 24)
    call("prctl", 4, 0, 0, 0, 0)
    call("prctl", 38, 1, 0, 0, 0)


def filter_syscalls():
    """Install a seccomp filter: another architecture kills, what is listed gives EPERM."""
    machine = os.uname().machine
    _, architecture, denied = SYSCALLS[machine]
    load, equal, greater, test, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, deny, missing, kill = 0x7FFF0000, 0x50001, 0x50026, 0x80000000
    program = [(load, 0, 0, 4), (equal, 1, 0, architecture), (give, 0, 0, kill), (load, 0, 0, 0)]
    if machine == "x86_64":
        program += [(greater, 0, 1, 0x40000000), (give, 0, 0, deny)]
    for number in denied:
        program += [(equal, 0, 1, number), (give, 0, 0, deny)]
    program += [(equal, 0, 1, CLONE3), (give, 0, 0, missing)]
    spaces = NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
    program += [(equal, 0, 3, CLONE[machine]), (load, 0, 0, 16), (test, 0, 1, spaces), (give, 0, 0, deny)]
    program += [(give, 0, 0, allow)]
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code)
    packed = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    call("prctl", 22, 2, packed, 0, 0)


class Placeholder(ast.NodeTransformer):
    """Turns every exit that the script itself writes into a raise of a class that no name refers to."""

    def visit_Call(self, node):
        self.generic_visit(node)
        name = node.func
        exits = (isinstance(name, ast.Name) and name.id in {"exit", "quit", "SystemExit"}) or (
            isinstance(name, ast.Attribute)
            and name.attr == "exit"
            and isinstance(name.value, ast.Name)
            and name.value.id == "sys"
        )
        if not exits or node.keywords:
            return node
        raising = ast.Call(ast.Constant(MARK), node.args, [])
        return ast.copy_location(raising, node)


MARK = b"crisol: the script ends here"


def compiled(source, name, leave):
    """Compile a script with ``leave`` in the place of its exits."""

    def put(code):
        constants = tuple(
            leave
            if value is MARK or value == MARK
            else put(value)
            if isinstance(value, types.CodeType)
            else value
            for value in code.co_consts
        )
        return code.replace(co_consts=constants)

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.fix_missing_locations(Placeholder().visit(ast.parse(source, name)))
        return put(compile(tree, name, "exec"))


def boot(request, channel):
    """Execute the script; only its own end is reported, with the nonce."""
    import gc
    import linecache
    import traceback

    class Leave(SystemExit):
        pass

    def leave(code=0, *, Leave=Leave):
        raise Leave(code)

    name = request["name"]
    source = request["source"]
    code = compiled(source, name, leave)
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    main = types.ModuleType("__main__")
    main.__dict__["__file__"] = name
    sys.modules["__main__"] = main
    sys.argv = [name]
    sys.path[:0] = request["path"]
    nonce, write, die, show = request.pop("nonce"), os.write, os._exit, traceback.print_exc
    request.clear()
    gc.collect()

    def execute(code, names):
        exec(code, names)

    status, ending = 0, "exited"
    try:
        execute(code, main.__dict__)
    except Leave as end:
        status = (
            end.args[0]
            if end.args and type(end.args[0]) is int
            else 0
            if end.args[:1] in ((), (None,))
            else 1
        )
    except SystemExit:
        die(0)
    except MemoryError:
        ending = "limit"
    except BaseException:
        ending = "raised"
        show()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    write(channel, f"{nonce}:{ending}:{status}".encode())
    die(0)


def supervise(child):
    """Be the first process of the namespace: reap, and end, with all that is left, when the script's process ends."""
    while True:
        pid, status = os.wait()
        if pid == child:
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            overrun = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
            os.write(2, f"\0{usage.ru_utime + usage.ru_stime:.6f} {int(overrun)}".encode())
            os._exit(1 if os.WIFSIGNALED(status) else 0)


def main():
    request = json.loads(sys.stdin.buffer.read())
    channel, prelude, isolated = request.pop("channel"), request.pop("prelude"), request["isolated"]
    os.umask(0o022)
    try:
        if isolated:
            isolate(request)
        else:
            spread(request)
        first = os.fork()
        if first:
            os.close(channel)
            _, status = os.waitpid(first, 0)
            os._exit(1 if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)
        if isolated:
            finish(request)
        child = os.fork()
        if child:
            os.close(channel)
            supervise(child)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.chdir(request["work"])
        limit(request)
        if isolated:
            os.setsid()
            confine(request)
        if prelude:
            exec(compile(prelude, "<prelude>", "exec"), {"__name__": "prelude"})
        if isolated:
            filter_syscalls()
        os.write(channel, b"ready\n")
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}".encode())
        os._exit(1)
    boot(request, channel)


def finish(request):
    """Do what only the first process of the new namespace can: its own /proc, and the old root gone."""
    try:
        mount("proc", "/proc", "proc", NOSUID | NODEV | NOEXEC)
    except OSError:
        pass  # a container that masks parts of its /proc forbids another one; scripts do without
    loopback()
    call("umount2", b"/old", DETACH)
    os.rmdir("/old")
    if os.path.ismount("/target"):
        mount(None, "/target", None, REMOUNT | BIND | RDONLY | NOSUID | NODEV)
    mount(None, "/", None, REMOUNT | BIND | RDONLY | NOSUID | NODEV)


main()
