"""zygote: a python3 that is ready, with the usual modules, and becomes the interpreter of one program after another by fork

/.r1/zygote.so does the work: r1_zygote returns only in the process of a program, in its box, with no rights left.
"""
import atexit
import ctypes
import gc
import importlib
import io
import os
import sys
import threading
import types


def usual_modules():
    for name in ("json math re collections collections.abc itertools functools heapq bisect string random typing operator copy datetime decimal "
                 "fractions statistics time traceback linecache contextlib dataclasses enum abc array cmath numbers queue threading "
                 "textwrap warnings").split():
        try:
            importlib.import_module(name)
        except ImportError:
            pass


def harnesses():
    """Code of the scripts of ours, compiled once"""
    found = {}
    for name in os.listdir("/.r1"):
        if name.endswith(".py") and name not in ("zygote.py", "r1_wire.py"):
            path = "/.r1/" + name
            with open(path, "rb") as f:
                found[path] = compile(f.read(), path, "exec")
    return found


def streams():
    """As python3 makes them when it starts, over descriptors like those that a program gets: a file, and two pipes"""
    def stream(fd, mode, errors):
        raw = io.FileIO(fd, mode, closefd=False)
        raw.name = ("<stdin>", "<stdout>", "<stderr>")[fd]
        buffer = io.BufferedReader(raw) if mode == "rb" else io.BufferedWriter(raw)
        text = io.TextIOWrapper(buffer, "utf-8", errors, line_buffering=fd == 2, write_through=False)
        text.mode = mode[0]
        return text
    null, file, pipe = os.dup(0), os.memfd_create("stdin"), os.pipe()
    for fd, like in ((0, file), (1, pipe[1]), (2, pipe[1])):
        os.dup2(like, fd)
    sys.stdin = sys.__stdin__ = stream(0, "rb", "surrogateescape")
    sys.stdout = sys.__stdout__ = stream(1, "wb", "surrogateescape")
    sys.stderr = sys.__stderr__ = stream(2, "wb", "backslashreplace")
    for fd in range(3):
        os.dup2(null, fd)
    for fd in (null, file, *pipe):
        os.close(fd)


def source(path):
    try:
        return io.FileIO(path).readall()
    except OSError as e:
        print(f"python3: can't open file {path!r}: [Errno {e.errno}] {e.strerror}", file=sys.stderr)
        os._exit(2)


def become(lib, job, main, ready):
    """The program of this box"""
    argc, envc = lib.r1_argc(job), lib.r1_envc(job)
    if envc:
        os.environ.clear()
    for i in range(envc):
        name, _, value = lib.r1_string(job, argc + i).decode().partition("=")
        os.environ[name] = value
    argv = [os.fsdecode(lib.r1_string(job, i)) for i in range(argc)]
    if hasattr(sys, "orig_argv"):       # from 3.10 on
        sys.orig_argv = argv
    sys.argv = argv[1:]
    folder = os.path.dirname(os.path.abspath(sys.argv[0])) if "/" in sys.argv[0] else os.getcwd()
    path = main.__file__ = folder + "/" + os.path.basename(sys.argv[0])
    sys.path.insert(0, folder)
    try:
        code = ready.get(path)
        if code is None:
            code = compile(source(path), path, "exec", dont_inherit=True)
        exec(code, main.__dict__)
        status = 0
    except SystemExit as e:
        status = e.code
        if status is None:
            status = 0
        elif not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException as e:
        # Without this file's own lines
        sys.excepthook(type(e), e.with_traceback(e.__traceback__.tb_next if e.__traceback__ else None), e.__traceback__)
        status = 1
    end(main, status)


def end(main, status):
    """The end of an interpreter, as far as a program can see it: threads, exit functions, what its variables held, what it wrote. Taking
    down all else would cost more than most programs do."""
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        main.__dict__.clear()
        gc.collect()
        sys.stdout.flush()
    except BaseException as e:
        sys.excepthook(type(e), e, e.__traceback__)
        status = status or 120
    try:
        sys.stderr.flush()
    except BaseException:
        pass
    os._exit(status & 255)


def serve():
    uid, gid, keep = (int(x) for x in sys.argv[1].split(",")[:3])
    lib = ctypes.PyDLL("/.r1/zygote.so")
    lib.r1_zygote.restype = ctypes.c_void_p
    lib.r1_string.restype = ctypes.c_char_p
    for f in (lib.r1_argc, lib.r1_envc):
        f.argtypes = [ctypes.c_void_p]
    lib.r1_string.argtypes = [ctypes.c_void_p, ctypes.c_int]
    usual_modules()
    importlib.import_module("r1_wire")
    del sys.path[0]             # this script's folder
    ready = harnesses()
    with os.fdopen(4, "rb") as f:
        code = f.read()
    code = ctypes.create_string_buffer(code, len(code))
    streams()
    main = types.ModuleType("__main__")
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main
    gc.collect()
    gc.freeze()     # what is here does not have to be looked at, and copied, in every child
    lib.r1_ready(3)
    job = lib.r1_zygote(3, code, len(code) // 8, uid, gid, keep)
    become(lib, job, main, ready)


serve()
