"""serve: main.py's functions and classes for the process that has the tests (judge.py), which asks for calls over descriptor 3

Whatever the program does to this process, all that it can bring about is the values of its answers, or none.
"""
import sys
import types

sys.path.insert(0, "/.r1")
import r1_wire
from r1_wire import pack, receive, send, unpack

objects = []
numbers = {}


def hold(v):
    n = numbers.get(id(v))
    if n is None:
        n = len(objects)
        objects.append(v)
        numbers[id(v)] = n
    return {"o": [n, type(v).__name__, callable(v)]}


def named(kind, c):
    if kind == "o":
        return objects[c[0]]
    if kind == "fn":
        def callback(*a, **k):
            send({"cb": c, "a": [pack(x, hold) for x in a], "k": {n: pack(x, hold) for n, x in k.items()}})
            return answer(receive())
        return callback
    raise ValueError("no value")


def answer(m):
    """What a callback gave; until then the other side may ask."""
    while "op" in m:
        send(serve(m))
        m = receive()
    if "e" in m:
        raise getattr(__import__("builtins"), m["e"][0], RuntimeError)(m["e"][1])
    return unpack(m["r"], named)


def error(e):
    names = [c.__name__ for c in type(e).__mro__]
    try:
        text = str(e)
    except BaseException:
        text = ""
    return {"e": [names, text[:1000]]}


def changed(args, before):
    """Arguments that the call changed in place"""
    m = {}
    for i, (x, old) in enumerate(zip(args, before)):
        if isinstance(x, (list, dict, set, bytearray)):
            now = pack(x, hold)
            if now != old:
                m[str(i)] = now
    return m


def call(m):
    args = [unpack(x, named) for x in m["a"]]
    keys = {n: unpack(x, named) for n, x in m["k"].items()}
    value = objects[m["f"]](*args, **keys)
    out = {"r": pack(value, hold)}
    m = changed(args, m["a"])
    if m:
        out["m"] = m
    return out


def load():
    names = {}
    module = r1_wire.load("main.py")
    for name, v in list(vars(module).items()):
        if isinstance(v, types.ModuleType):
            names[name] = {"M": v.__name__}
        elif not name.startswith("__"):
            try:
                names[name] = pack(v, hold)
            except BaseException:
                pass
    return {"names": names}


def serve(m):
    op = m["op"]
    try:
        if op == "load":
            return load()
        if op == "call":
            return call(m)
        o = objects[m["o"]]
        if op == "get":
            return {"r": pack(getattr(o, m["n"]), hold)}
        if op == "set":
            setattr(o, m["n"], unpack(m["v"], named))
            return {"r": None}
        if op == "item":
            return {"r": pack(o[unpack(m["n"], named)], hold)}
        if op == "setitem":
            o[unpack(m["n"], named)] = unpack(m["v"], named)
            return {"r": None}
        if op == "iter":
            return {"r": hold(iter(o))}
        if op == "next":
            try:
                return {"r": pack(next(o), hold)}
            except StopIteration:
                return {"stop": True}
        return {"r": pack({"len": len, "str": str, "repr": repr, "float": float, "int": int}[op](o), hold)}
    except r1_wire.Gone:
        raise
    except BaseException as e:
        return error(e)


def main():
    try:
        while True:
            send(serve(receive()))
    except r1_wire.Gone:
        pass


main()
