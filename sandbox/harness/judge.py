"""judge: runs the assertions of r1-tests.json on a program that lies in another process and another jail (serve.py)

The program sees the arguments of its calls and nothing else: neither the assertions nor what they expect, neither this process nor
where it writes. So it cannot leave before they have run, replace what they call, or bring them to believe that two things are equal.
Names in the tests mean, in this order: what the setup and the tests define; Python's builtins and standard modules; what the program
defines. Only the entry point is always the program's. What comes of it stands in r1-verdict.json, written anew before each test.
"""
import builtins
import json
import linecache
import os
import sys

sys.path.insert(0, "/.r1")
import r1_wire
from r1_wire import Gone, pack, receive, send, unpack

r1_wire.set_digits(0)

verdict = {"total": 0, "passed": 0, "first": 0, "at": 0, "why": "", "kind": "", "done": False}
callbacks = []
explaining = False
last = None         # what the program's last call gave


def write():
    with open("r1-verdict.new", "w", encoding="utf-8") as f:
        json.dump(verdict, f)
    os.replace("r1-verdict.new", "r1-verdict.json")


def wrong(test, kind, why):
    if not verdict["first"]:
        verdict.update(first=test, kind=kind, why=str(why)[:500])


class Ours(Exception):
    """What the tests cannot do"""


def keep(v):
    """What is no plain value, on its way to the program"""
    if isinstance(v, Remote):
        return {"o": [v._r1_number, "", False]}
    if callable(v) and not isinstance(v, type):
        callbacks.append(v)
        return {"fn": len(callbacks) - 1}
    raise Ours("a value of type %s cannot be given to the program" % type(v).__name__)


def named(kind, c):
    if kind == "o":
        return Remote(c[0], c[1])
    if kind == "fn":
        return callbacks[c]
    raise ValueError("no value")


errors = {}


def raise_remote(names, text):
    """The program's exception as one of ours: the same builtin, or one of the same name. Nothing that would end a loop or this process."""
    names = [n for n in names if isinstance(n, str)] or ["Exception"]
    base = RuntimeError
    for n in names:
        b = getattr(builtins, n, None)
        if isinstance(b, type) and issubclass(b, Exception) and b not in (Exception, StopIteration, StopAsyncIteration):
            base = b
            break
    if (names[0], base) not in errors:
        try:
            base("")
        except Exception:
            base = RuntimeError
        errors[names[0], base] = type(names[0], (base,), {"_r1_remote": True})
    raise errors[names[0], base](text)


def ask(message):
    """Sends, and answers what the program asks of callbacks meanwhile."""
    send(message)
    while True:
        m = receive()
        if not isinstance(m, dict):
            raise Gone("it sent what cannot be read")
        if "cb" not in m:
            return m
        try:
            value = callbacks[m["cb"]](*[unpack(x, named) for x in m["a"]], **{n: unpack(x, named) for n, x in m["k"].items()})
            send({"r": pack(value, keep)})
        except Gone:
            raise
        except Exception as e:
            send({"e": [type(e).__name__, str(e)]})


def value(m):
    if "e" in m:
        raise_remote(*m["e"])
    try:
        return unpack(m["r"], named)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, ArithmeticError, RecursionError) as e:
        raise Gone("it sent what is no value: %s" % e)


def update(x, y):
    if type(x) is not type(y):
        return
    if isinstance(x, (list, bytearray)):
        x[:] = y
    elif isinstance(x, (dict, set)):
        x.clear()
        x.update(y)


class Remote:
    """An object of the program's process. Equal to itself alone."""
    __slots__ = ("_r1_number", "_r1_type")

    def __init__(self, number, kind):
        object.__setattr__(self, "_r1_number", number)
        object.__setattr__(self, "_r1_type", kind)

    def __call__(self, *a, **k):
        global last
        m = ask({"op": "call", "f": self._r1_number, "a": [pack(x, keep) for x in a], "k": {n: pack(x, keep) for n, x in k.items()}})
        last = value(m)
        for i, x in m.get("m", {}).items():
            update(a[int(i)], value({"r": x}))
        return last

    def __eq__(self, other):
        return isinstance(other, Remote) and self._r1_number == other._r1_number

    def __hash__(self):
        return hash(self._r1_number)

    def __getattr__(self, name):
        return value(ask({"op": "get", "o": self._r1_number, "n": name}))

    def __setattr__(self, name, v):
        value(ask({"op": "set", "o": self._r1_number, "n": name, "v": pack(v, keep)}))

    def __getitem__(self, i):
        return value(ask({"op": "item", "o": self._r1_number, "n": pack(i, keep)}))

    def __setitem__(self, i, v):
        value(ask({"op": "setitem", "o": self._r1_number, "n": pack(i, keep), "v": pack(v, keep)}))

    def __iter__(self):
        it = value(ask({"op": "iter", "o": self._r1_number}))
        while True:
            m = ask({"op": "next", "o": it._r1_number})
            if "stop" in m:
                return
            yield value(m)

    def __next__(self):
        m = ask({"op": "next", "o": self._r1_number})
        if "stop" in m:
            raise StopIteration
        return value(m)

    def _r1_plain(self, op, kind):
        v = value(ask({"op": op, "o": self._r1_number}))
        if type(v) is not kind:
            raise TypeError("no %s" % kind.__name__)
        return v

    def __len__(self):
        return self._r1_plain("len", int)

    def __str__(self):
        return self._r1_plain("str", str)

    def __repr__(self):
        return "<%s>" % self._r1_type if explaining else self._r1_plain("repr", str)

    def __int__(self):
        return self._r1_plain("int", int)

    def __float__(self):
        return self._r1_plain("float", float)

    def __bool__(self):
        return True


def names_of(code):
    found = set(code.co_names)
    for c in code.co_consts:
        if hasattr(c, "co_names"):
            found |= names_of(c)
    return found


def bind(g, names, wanted):
    for name in wanted:
        if hasattr(builtins, name):
            continue
        j = names.get(name)
        if name in sys.stdlib_module_names or (isinstance(j, dict) and "M" in j):
            try:
                g[name] = __import__(name if name in sys.stdlib_module_names else j["M"].partition(".")[0])
            except ImportError:
                pass
        elif name in names:
            g[name] = value({"r": j})


def explain(e, text):
    """The assertion that failed, and what it was about"""
    global explaining
    tb, line = e.__traceback__, 0
    while tb:
        if tb.tb_frame.f_code.co_filename.startswith("<test"):
            line = tb.tb_lineno
        tb = tb.tb_next
    lines = text.split("\n")
    at = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    if isinstance(e, AssertionError) and not hasattr(type(e), "_r1_remote"):
        explaining = True       # without asking the program
        shown = repr(last)
        explaining = False
        return "%s: the last call gave %s" % (at, shown if len(shown) < 80 else shown[:77] + "...")
    return "%s: %s" % (type(e).__name__, e) if str(e) else type(e).__name__


def run(test, text, g):
    try:
        exec(compile(text, "<test %d>" % test, "exec"), g)
        return True
    except Gone:
        raise
    except SystemExit:
        wrong(test, "ours", "the tests call exit")
    except AssertionError as e:
        wrong(test, "error" if hasattr(type(e), "_r1_remote") else "wrong", explain(e, text))
    except (Ours, ImportError) as e:
        wrong(test, "error" if hasattr(type(e), "_r1_remote") else "ours", explain(e, text))
    except BaseException as e:
        wrong(test, "error", explain(e, text))
    return False


def prepare(suite, tests):
    """The names that the tests know"""
    setup, entry = suite["setup"], suite.get("entry")
    try:
        wanted = names_of(compile(setup, "<setup>", "exec"))
        for i, t in enumerate(tests):
            wanted |= names_of(compile(t, "<test %d>" % (i + 1), "exec"))
    except (SyntaxError, ValueError) as e:
        return wrong(1, "ours", "the tests: %s" % e)
    m = ask({"op": "load"})
    if "e" in m:
        names, text = m["e"]
        return wrong(1, "error", "%s: %s" % (names[0], text))
    g = {"__name__": "__main__", "__builtins__": builtins}
    bind(g, m["names"], wanted)
    try:
        exec(compile(setup, "<setup>", "exec"), g)
    except Gone:
        raise
    except BaseException as e:
        return wrong(1, "error" if hasattr(type(e), "_r1_remote") else "ours", "the setup: %s: %s" % (type(e).__name__, e))
    if entry in m["names"]:
        g[entry] = value({"r": m["names"][entry]})
    if entry and entry not in m["names"]:
        return wrong(1, "error", "the program defines no " + entry)
    return g


def main():
    global last
    with open("r1-tests.json", encoding="utf-8") as f:
        suite = json.load(f)
    tests = suite["asserts"] if isinstance(suite["asserts"], list) else [suite["asserts"]]
    verdict["total"] = len(tests)
    verdict["at"] = 1
    write()
    try:
        g = prepare(suite, tests)
        for i, text in enumerate(tests if g else []):
            verdict["at"] = i + 1
            write()
            last = None
            verdict["passed"] += run(i + 1, text, g)
            if verdict["first"] and not suite["share"]:
                break
    except Gone as e:
        wrong(verdict["at"], "gone" if str(e) == r1_wire.ENDED else "error", "the program's process: %s" % e)
    verdict["done"] = True
    write()


main()
