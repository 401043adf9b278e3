#!/usr/bin/env python3
"""Makes tests/fuzz/parquet.corpus/*.parquet and, from what pyarrow reads in them, tests/tool/parquet/*.jsonl. Run by hand (pip install pyarrow).

What pyarrow writes is written by it; what only older writers wrote (lists of two levels, levels in BIT_PACKED, ...) is put together
below, byte by byte, and still read by pyarrow, whose reading is what r1's is compared with.
"""
import datetime, decimal, gzip, os, random, struct, sys, uuid
import pyarrow as pa
import pyarrow.parquet as pq

here = os.path.dirname(os.path.abspath(__file__))
corpus = os.path.join(here, "../../fuzz/parquet.corpus")

# ---- JSON as r1 writes it ----

def text(b):
    out = '"'
    for c in b.decode("utf-8", "replace"):
        two = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}.get(c)
        out += two or ("\\u%04x" % ord(c) if ord(c) < 32 else c)
    return out + '"'

def real(x, single):
    if x != x or x in (float("inf"), -float("inf")):
        return "null"
    for digits in range(1, 18):
        s = "%.*e" % (digits - 1, x)
        y = float(s)
        if single:
            try:
                y = struct.unpack("f", struct.pack("f", y))[0]
            except OverflowError:
                continue
        if y == x:
            break
    sign, s = ("-", s[1:]) if s[0] == "-" else ("", s)
    d, e = s.split("e")
    d, point = d.replace(".", "").rstrip("0") or "0", int(e) + 1
    if d == "0":
        return sign + "0.0"
    if point > 16 or point < -4:
        return sign + d[0] + ("." + d[1:] if d[1:] else "") + "e%d" % (point - 1)
    if point <= 0:
        return sign + "0." + "0" * -point + d
    return sign + d[:point].ljust(point, "0") + "." + (d[point:] or "0")

def clock(t, digits):
    unit = 10 ** digits
    s, part = divmod(t, unit)
    return "%02d:%02d:%02d" % (s // 3600, s // 60 % 60, s % 60) + (".%0*d" % (digits, part) if part else "")

def value(s):
    t = s.type
    digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}
    if not s.is_valid or pa.types.is_null(t):
        return "null"
    if isinstance(t, pa.BaseExtensionType):
        if t.extension_name == "arrow.uuid":
            return '"%s"' % uuid.UUID(bytes=s.value.as_py())
        return value(s.value)
    if pa.types.is_boolean(t):
        return "true" if s.as_py() else "false"
    if pa.types.is_integer(t):
        return str(s.as_py())
    if pa.types.is_float16(t):
        return real(struct.unpack("e", s.cast(pa.float16()).as_buffer() if hasattr(s, "as_buffer") else struct.pack("e", float(s.as_py())))[0], True)
    if pa.types.is_floating(t):
        return real(s.as_py(), pa.types.is_float32(t))
    if pa.types.is_decimal(t):
        return format(s.as_py(), "f")
    if pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_binary(t) or pa.types.is_fixed_size_binary(t):
        return text(s.as_buffer().to_pybytes())
    if pa.types.is_date(t):
        return '"%s"' % s.as_py().isoformat()
    if pa.types.is_time(t):
        return '"%s"' % clock(s.value, digits[t.unit])
    if pa.types.is_timestamp(t):
        day, rest = divmod(s.value, 86400 * 10 ** digits[t.unit])
        return '"%sT%s%s"' % (datetime.date(1970, 1, 1) + datetime.timedelta(days=day), clock(rest, digits[t.unit]), "Z" if t.tz else "")
    if pa.types.is_struct(t):
        return "{" + ",".join(text(t.field(i).name.encode()) + ":" + value(s[i]) for i in range(t.num_fields)) + "}"
    if pa.types.is_map(t):
        pairs = [(value(p["key"]), value(p["value"])) for p in s.values] if len(s) else []
        if pa.types.is_string(t.key_type):
            return "{" + ",".join(k + ":" + v for k, v in pairs) + "}"
        return "[" + ",".join('{"key":' + k + ',"value":' + v + "}" for k, v in pairs) + "]"
    if pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_fixed_size_list(t):
        return "[" + ",".join(value(v) for v in (s.values if len(s) else [])) + "]"
    raise TypeError(t)

def expect(name):
    t = pq.read_table(os.path.join(corpus, name + ".parquet"))
    with open(os.path.join(here, name + ".jsonl"), "w", encoding="utf-8") as f:
        for i in range(t.num_rows):
            f.write("{" + ",".join(text(n.encode()) + ":" + value(t.column(k)[i]) for k, n in enumerate(t.column_names)) + "}\n")

def write(name, table, **how):
    how = {"store_schema": False, "write_statistics": False, "compression": "none", "use_dictionary": False} | how
    pq.write_table(table, os.path.join(corpus, name + ".parquet"), **how)
    expect(name)

# ---- what pyarrow writes ----

rng = random.Random(1)
words = "the of a number is eight\n 7 x^2 \\frac{1}{2} \"so\" Größe 解 🙂 \t \x01 and".split(" ")

def phrase(most=12):
    return " ".join(rng.choice(words) for _ in range(rng.randrange(most)))

def some(f, n, nulls=0.2):
    return [None if rng.random() < nulls else f() for _ in range(n)]

def integers(bits):
    return lambda: rng.choice([rng.randrange(-5, 5), rng.randrange(-(1 << bits - 1), 1 << bits - 1), -(1 << bits - 1), (1 << bits - 1) - 1])

def floats():
    return rng.choice([0.0, -0.0, 1.5, 0.1, 1e300, -2.5e-310, 1e22, 123456789.125, float("nan"), float("-inf"), rng.random(), 3.0])

def singles():
    return struct.unpack("f", struct.pack("f", rng.choice([0.1, 1.0, 3e38, 1e-45, float("nan"), rng.random(), 16777216.0])))[0]

def basic(n, nulls):
    return pa.table({
        "flag": pa.array(some(lambda: rng.random() < 0.5, n, nulls), pa.bool_()),
        "small": pa.array(some(integers(32), n, nulls), pa.int32()),
        "large": pa.array(some(integers(64), n, nulls), pa.int64()),
        "single": pa.array(some(singles, n, nulls), pa.float32()),
        "double": pa.array(some(floats, n, nulls), pa.float64()),
        "text": pa.array(some(phrase, n, nulls), pa.string()),
        "bytes": pa.array(some(lambda: bytes(rng.choice(b"a\xe9\xff\xf0\x9f\x92") for _ in range(rng.randrange(6))), n, nulls), pa.binary()),
        "fixed": pa.array(some(lambda: bytes(rng.choice(b"abc") for _ in range(5)), n, nulls), pa.binary(5))})

def required(t):
    return t.cast(pa.schema([f.with_nullable(False) for f in t.schema]))

def nested(n):
    role = pa.struct([("role", pa.string()), ("content", pa.string())])
    def messages():
        return some(lambda: {"role": rng.choice(["user", None]), "content": phrase(4)}, rng.randrange(3))
    return pa.table({
        "id": pa.array(range(n), pa.int32()),
        "strings": pa.array([["a"], [], None, [None], ["b", None, ""]] + some(lambda: some(phrase, rng.randrange(4)), n - 5), pa.list_(pa.string())),
        "messages": pa.array(some(messages, n), pa.list_(role)),
        "lists": pa.array(some(lambda: some(lambda: some(integers(8), rng.randrange(3)), rng.randrange(4)), n), pa.list_(pa.list_(pa.int32()))),
        "struct": pa.array(some(lambda: {"a": rng.choice([None, 1]), "b": rng.choice([None, {"c": phrase(2), "d": some(integers(4), rng.randrange(3))}])}, n),
                           pa.struct([("a", pa.int32()), ("b", pa.struct([("c", pa.string()), ("d", pa.list_(pa.int64()))]))])),
        "map": pa.array(some(lambda: [(str(i), rng.choice([None, i / 2])) for i in range(rng.randrange(3))], n), pa.map_(pa.string(), pa.float64())),
        "numbered": pa.array(some(lambda: [(i, some(phrase, 2)) for i in range(rng.randrange(3))], n), pa.map_(pa.int32(), pa.list_(pa.string())))})

def logical():
    day, d = datetime.date, decimal.Decimal
    def column(values, t):
        return pa.array(values + [None], t)
    us = [0, 1, -1, 1706704496123456, -62135596800000000]
    return pa.table({
        "date": column([day(1970, 1, 1), day(2024, 2, 29), day(1, 1, 1), day(9999, 12, 31), day(1900, 3, 1)], pa.date32()),
        "time_ms": column([0, 1, 86399999, 43200000, 61001], pa.time32("ms")),
        "time_us": column([0, 1, 86399999999, 43200000000, 61001000], pa.time64("us")),
        "time_ns": column([0, 1, 86399999999999, 43200000000000, 61001], pa.time64("ns")),
        "ms": column([t // 1000 for t in us], pa.timestamp("ms")),
        "us_utc": column(us, pa.timestamp("us", "UTC")),
        "ns": column([0, 1, -1, 1706704496123456789, -1000000000], pa.timestamp("ns")),
        "u8": column([0, 255, 1, 2, 3], pa.uint8()),
        "u32": column([0, 4294967295, 1, 2, 3], pa.uint32()),
        "u64": column([0, 18446744073709551615, 1, 2, 3], pa.uint64()),
        "i8": column([0, -128, 127, 2, 3], pa.int8()),
        "half": column([1.5, 0.1, 65504.0, -0.0, 6e-8], pa.float16()),
        "d9": column([d("1.50"), d("-0.05"), d("0.00"), d("9999999.99"), d("-1234567.89")], pa.decimal128(9, 2)),
        "d38": column([d("1"), d("-1"), d("0"), d("9" * 38), d("-" + "9" * 38)], pa.decimal128(38, 0)),
        "d76": column([d(1).scaleb(-40), d(-1).scaleb(-40), d("0.0"), d("9" * 36), d("-1.5")], pa.decimal256(76, 40)),
        "uuid": column([bytes(range(16)), bytes(16), b"\xff" * 16, bytes(16), bytes(16)], pa.uuid()),
        "json": column(["{}", '{"a": [1]}', "null", "1", '""'], pa.json_()),
        "nothing": pa.nulls(6),
        "large": column(["a", "b", "", "c", "d"], pa.large_string())})

def made_by_pyarrow():
    decimal.getcontext().prec = 100
    write("plain", basic(30, 0.2))
    write("required", required(basic(20, 0)))
    text_only = pa.table({"question": some(phrase, 60), "level": some(lambda: rng.choice(["Level 1", "Level 5"]), 60), "n": some(integers(4), 60)})
    for codec in "snappy", "gzip", "zstd", "lz4":
        write("codec-" + codec, text_only, compression=codec, use_dictionary=["level", "n"])
    pq.write_table(text_only.slice(0, 5), os.path.join(corpus, "bad-brotli.parquet"), compression="brotli")
    write("dictionary", pa.concat_tables([basic(6, 0.2)] * 5), use_dictionary=True)
    write("dictionary-v2", pa.concat_tables([basic(6, 0.2)] * 5), use_dictionary=True, data_page_version="2.0", compression="snappy")
    write("fallback", pa.table({"text": [phrase() + str(i) for i in range(80)]}), use_dictionary=True, dictionary_pagesize_limit=400, write_batch_size=8,
          data_page_size=200)
    big = basic(60, 0.3).select(["small", "large", "text", "bytes", "fixed"])
    delta = {"small": "DELTA_BINARY_PACKED", "large": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY", "bytes": "DELTA_LENGTH_BYTE_ARRAY", "fixed": "DELTA_BYTE_ARRAY"}
    write("delta", big, column_encoding=delta)
    steps = pa.table({"up": pa.array(range(0, 600, 2), pa.int64()), "same": pa.array([7] * 300, pa.int32()), "one": pa.array([i // 299 for i in range(300)], pa.int64())})
    write("delta-steps", steps, column_encoding={c: "DELTA_BINARY_PACKED" for c in steps.column_names})
    write("delta-v2", big, column_encoding=delta, data_page_version="2.0", compression="zstd", data_page_size=100, write_batch_size=16)
    split = basic(40, 0.2).select(["small", "large", "single", "double", "fixed"])
    write("split", split, column_encoding={c: "BYTE_STREAM_SPLIT" for c in split.column_names})
    write("bool-rle", basic(100, 0.1).select(["flag"]), column_encoding={"flag": "RLE"})
    write("nested", nested(40), store_schema=True)
    write("nested-v2", nested(40), data_page_version="2.0", compression="snappy", use_dictionary=True)
    write("groups", nested(30), row_group_size=11, data_page_size=40, write_batch_size=3, use_dictionary=True)
    write("pages", pa.table({"text": some(phrase, 300), "n": some(integers(8), 300)}), data_page_size=500, write_batch_size=10, compression="zstd")
    write("empty", nested(40).slice(0, 0))
    write("no-groups", pa.table({"a": pa.array([], pa.int32())}))
    write("logical", logical(), store_schema=True)
    write("logical-int", logical().select(["d9", "date"]), store_decimal_as_integer=True)
    write("int96", pa.table({"t": pa.array([0, 1, -1, 1706704496123456789, None], pa.timestamp("ns"))}), use_deprecated_int96_timestamps=True)
    write("checksum", text_only.slice(0, 10), compression="snappy", use_dictionary=True, write_page_checksum=True)
    write("nulls", pa.table({"a": pa.nulls(1100, pa.string()), "b": pa.array([None, 1] * 550, pa.int8()), "c": pa.array([[]] * 1100, pa.list_(pa.int32()))}), use_dictionary=True)
    write("statistics", pa.table({"a": ["x" * 1500, "y"]}), write_statistics=True)

# ---- what is put together here: Thrift's compact protocol, pages of PLAIN values ----

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])

def zigzag(n):
    return varint(n << 1 if n >= 0 else (-n << 1) - 1)

def struct_(fields):     # {id: (type, bytes)}
    out, last = b"", 0
    for i in sorted(fields):
        kind, data = fields[i]
        out += bytes([i - last << 4 | kind]) + data
        last = i
    return out + b"\0"

def i32(n):
    return 5, zigzag(n)

def i64(n):
    return 6, zigzag(n)

def binary(b):
    return 8, varint(len(b)) + b

def list_(kind, items):
    return 9, (bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xf0 | kind]) + varint(len(items))) + b"".join(items)

BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED = range(8)
REQUIRED, OPTIONAL, REPEATED = range(3)

def element(name, repetition=REQUIRED, type=None, children=None, converted=None, length=None, scale=None, precision=None, logical=None):
    f = {3: i32(repetition), 4: binary(name.encode())}
    for i, n in (1, type), (2, length), (5, children), (6, converted), (7, scale), (8, precision):
        if n is not None:
            f[i] = i32(n)
    if logical is not None:
        f[10] = (12, logical)
    return struct_(f)

def plain(type, v):
    if type == INT32:
        return struct.pack("<i", v)
    if type == INT64:
        return struct.pack("<q", v)
    if type == FIXED:
        return v
    return struct.pack("<I", len(v)) + v

def bits(n):
    return n.bit_length()

def packed_msb(levels, w):
    s = "".join(format(x, "0%db" % w) for x in levels)
    s += "0" * (-len(s) % 8)
    return bytes(int(s[i:i + 8], 2) for i in range(0, len(s), 8))

def hybrid(levels, w):   # a run for each level
    return b"".join(varint(2) + bytes([x]) for x in levels)

def column(path, type, entries, most_def=0, most_rep=0, msb=False, v2=False, codec=0, pack=lambda b: b, is_packed=True, junk=False, values=None):
    """entries: (repetition level, definition level, value or None)"""
    data = b"".join(plain(type, v) for _, _, v in entries if v is not None) if values is None else values
    levels = [(([e[k] for e in entries]), most) for k, most in ((0, most_rep), (1, most_def))]
    if v2:
        rep, dfn = (hybrid(l, bits(m)) if m else b"" for l, m in levels)
        body = rep + dfn + (pack(data) if is_packed else data)
        head = {8: (12, struct_({1: i32(len(entries)), 2: i32(0), 3: i32(0), 4: i32(0), 5: i32(len(dfn)), 6: i32(len(rep)), 7: (1 if is_packed else 2, b"")}))}
        full, kind = len(rep + dfn + data), 3
    else:
        full = b""
        for l, m in levels:
            if m:
                full += packed_msb(l, bits(m)) if msb else struct.pack("<I", len(hybrid(l, bits(m)))) + hybrid(l, bits(m))
        full += data
        body, full, kind = pack(full), len(full), 0
        level = i32(4 if msb else 3)
        head = {5: (12, struct_({1: i32(len(entries)), 2: i32(0), 3: level, 4: level}))}
    page = struct_({1: i32(kind), 2: i32(full), 3: i32(len(body))} | head) + body
    if junk:
        page = struct_({1: i32(1), 2: i32(3), 3: i32(3), 6: (12, b"\0")}) + b"???" + page
    return path, type, len(entries), codec, page

def put_together(name, elements, columns, rows, reference=True):
    out, chunks = b"PAR1", []
    for path, type, n, codec, page in columns:
        meta = struct_({1: i32(type), 2: list_(5, [zigzag(0), zigzag(3)]), 3: list_(8, [binary(p.encode())[1] for p in path.split(".")]), 4: i32(codec),
                        5: i64(n), 6: i64(len(page)), 7: i64(len(page)), 9: i64(len(out))})
        chunks.append(struct_({2: i64(len(out)), 3: (12, meta)}))
        out += page
    group = struct_({1: list_(12, chunks), 2: i64(len(out) - 4), 3: i64(rows)})
    footer = struct_({1: i32(1), 2: list_(12, elements), 3: i64(rows), 4: list_(12, [group])})
    with open(os.path.join(corpus, name + ".parquet"), "wb") as f:
        f.write(out + footer + struct.pack("<I", len(footer)) + b"PAR1")
    if reference:
        expect(name)

def made_here():
    # Lists of two levels (rules 1 to 4), lists without an annotation, and maps by their old name
    ints = [(0, 0, None), (0, 1, None), (0, 2, 1), (1, 2, 2), (0, 2, 3)]
    put_together("legacy-lists", [
        element("schema", children=5),
        element("ints", OPTIONAL, children=1, converted=3), element("element", REPEATED, INT32),
        element("tuples", OPTIONAL, children=1, converted=3), element("element", REPEATED, children=2),
        element("str", REQUIRED, BYTE_ARRAY, converted=0), element("num", REQUIRED, INT32),
        element("ones", OPTIONAL, children=1, converted=3), element("array", REPEATED, children=1), element("str", REQUIRED, BYTE_ARRAY, converted=0),
        element("named", OPTIONAL, children=1, converted=3), element("named_tuple", REPEATED, children=1), element("str", REQUIRED, BYTE_ARRAY, converted=0),
        element("other", OPTIONAL, children=1, converted=3), element("element", REPEATED, children=1), element("str", OPTIONAL, BYTE_ARRAY, converted=0)], [
        column("ints.element", INT32, ints, 2, 1),
        column("tuples.element.str", BYTE_ARRAY, [(r, d, v and b"s%d" % v) for r, d, v in ints], 2, 1), column("tuples.element.num", INT32, ints, 2, 1),
        column("ones.array.str", BYTE_ARRAY, [(r, d, v and b"s%d" % v) for r, d, v in ints], 2, 1),
        column("named.named_tuple.str", BYTE_ARRAY, [(r, d, v and b"s%d" % v) for r, d, v in ints], 2, 1),
        column("other.element.str", BYTE_ARRAY, [(0, 0, None), (0, 1, None), (0, 3, b"a"), (1, 2, None), (0, 2, None)], 3, 1)], 4)
    two = [(0, 0, None), (0, 1, 1), (1, 1, 2), (0, 1, 3)]
    put_together("legacy-repeated", [
        element("schema", children=3),
        element("num", REPEATED, INT32),
        element("group", REPEATED, children=2), element("a", REQUIRED, INT32), element("b", OPTIONAL, BYTE_ARRAY, converted=0),
        element("map", OPTIONAL, children=1, converted=2), element("map", REPEATED, children=2),
        element("key", REQUIRED, BYTE_ARRAY, converted=0), element("value", OPTIONAL, INT32)], [
        column("num", INT32, two, 1, 1),
        column("group.a", INT32, two, 1, 1, v2=True), column("group.b", BYTE_ARRAY, [(0, 0, None), (0, 2, b"x"), (1, 1, None), (0, 2, b"y")], 2, 1),
        column("map.map.key", BYTE_ARRAY, [(0, 2, b"k"), (1, 2, b"l"), (0, 0, None), (0, 1, None)], 2, 1),
        column("map.map.value", INT32, [(0, 3, 1), (1, 2, None), (0, 0, None), (0, 1, None)], 3, 1)], 3)
    # pyarrow takes the bits of BIT_PACKED in the other order than the format says; with runs it reads the same entries
    deep = [(r, d, i + 1 if d == 4 else None) for i, (r, d) in enumerate([(0, 4), (2, 3), (2, 4), (1, 4), (1, 2), (0, 1), (0, 0), (0, 4), (1, 4), (2, 4)])]
    for msb in False, True:
        put_together("legacy-bits", [
            element("schema", children=1),
            element("a", OPTIONAL, children=1, converted=3), element("array", REPEATED, children=1, converted=3), element("array", REPEATED, children=2),
            element("x", OPTIONAL, INT32), element("y", REQUIRED, INT32)], [
            column("a.array.array.x", INT32, deep, 4, 2, msb=msb),
            column("a.array.array.y", INT32, [(r, min(d, 3), i if d >= 3 else None) for i, (r, d, _) in enumerate(deep)], 3, 2, msb=msb)], 4, reference=not msb)
    # Annotations of before LogicalType; pages that are not packed, of two members of gzip, and of a kind that is passed over
    n = 3
    put_together("legacy-types", [
        element("schema", children=9),
        element("text", REQUIRED, BYTE_ARRAY, converted=0), element("enum", REQUIRED, BYTE_ARRAY, converted=4), element("plain", REQUIRED, BYTE_ARRAY),
        element("decimal", REQUIRED, BYTE_ARRAY, converted=5, scale=3, precision=10), element("date", REQUIRED, INT32, converted=6),
        element("time", REQUIRED, INT64, converted=8), element("stamp", REQUIRED, INT64, converted=9), element("u32", REQUIRED, INT32, converted=13),
        element("i16", REQUIRED, INT32, converted=16)], [
        column("text", BYTE_ARRAY, [(0, 0, b"aaaaaaaaaaaaaaaa")] * n, codec=2, pack=lambda b: gzip.compress(b[:9], mtime=0) + gzip.compress(b[9:], mtime=0)),
        column("enum", BYTE_ARRAY, [(0, 0, b"RED")] * n, codec=2, v2=True, is_packed=False),
        column("plain", BYTE_ARRAY, [(0, 0, b"\xe9t\xc3\xa9")] * n, junk=True),
        column("decimal", BYTE_ARRAY, [(0, 0, b) for b in (b"\x05", b"\xfb", b"\x00\x30\x39\x80")]),
        column("date", INT32, [(0, 0, -1)] * n), column("time", INT64, [(0, 0, 1000001)] * n), column("stamp", INT64, [(0, 0, -1)] * n),
        column("u32", INT32, [(0, 0, -1)] * n), column("i16", INT32, [(0, 0, -7)] * n)], n, reference=False)

def refused():
    one = [element("schema", children=1), element("a", OPTIONAL, BYTE_ARRAY, converted=0)]
    good = [(0, 1, b"x"), (0, 0, None), (0, 1, b"y")]
    def bad(name, c, elements=one, rows=3):
        put_together("bad-" + name, elements, [c], rows, reference=False)
    bad("level", column("a", BYTE_ARRAY, [(0, 1, b"x"), (0, 3, None), (0, 1, b"y")], 1))
    bad("few-values", column("a", BYTE_ARRAY, [(0, 1, b"x"), (0, 1, None), (0, 1, b"y")], 1))
    bad("few-rows", column("a", BYTE_ARRAY, good[:2], 1))
    bad("length", column("a", BYTE_ARRAY, good, 1, values=b"\x01\0\0\0x\xff\xff\xff\x7fy"))
    bad("codec", column("a", BYTE_ARRAY, good, 1, codec=5))
    bad("unpacked", column("a", BYTE_ARRAY, good, 1, codec=1))
    lists = [element("schema", children=1), element("a", OPTIONAL, children=1, converted=3), element("l", REPEATED, INT32)]
    bad("start", column("a.l", INT32, [(1, 2, 1), (0, 2, 2), (0, 1, None)], 2, 1), lists)
    bad("more-rows", column("a.l", INT32, [(0, 2, 1), (0, 2, 2), (0, 1, None), (0, 0, None)], 2, 1), lists)
    bad("map", column("m.e.k", BYTE_ARRAY, [(0, 3, b"k"), (1, 2, None)], 3, 1),
        [element("schema", children=1), element("m", OPTIONAL, children=1, converted=1), element("e", REPEATED, children=1), element("k", OPTIONAL, BYTE_ARRAY, converted=0)], 1)
    bad("no-columns", column("a", BYTE_ARRAY, good, 1), [element("schema", children=0)])
    bad("no-fields", column("a", BYTE_ARRAY, good, 1), [element("schema", children=1), element("g", REQUIRED, children=0)])
    bad("many-fields", column("a", BYTE_ARRAY, good, 1), [element("schema", children=2), element("a", OPTIONAL, BYTE_ARRAY)])
    bad("deep", column("a", BYTE_ARRAY, good, 1), [element("schema", children=1)] + [element("g", children=1)] * 70 + [element("a", OPTIONAL, BYTE_ARRAY)])
    bad("interval", column("a", FIXED, [(0, 0, b"\0" * 12)] * 3), [element("schema", children=1), element("a", REQUIRED, FIXED, converted=21, length=12)])
    # a row with a list of 2^31 - 1 nulls, in two runs of levels
    most = (1 << 31) - 1
    runs = [varint(2) + b"\0" + varint((most - 1) << 1) + b"\1", varint(most << 1) + b"\2"]
    levels = b"".join(struct.pack("<I", len(r)) + r for r in runs)
    head = struct_({1: i32(0), 2: i32(len(levels)), 3: i32(len(levels)), 5: (12, struct_({1: i32(most), 2: i32(0), 3: i32(3), 4: i32(3)}))})
    bad("endless", ("a.list.element", INT32, most, 0, head + levels),
        [element("schema", children=1), element("a", OPTIONAL, children=1, converted=3), element("list", REPEATED, children=1), element("element", OPTIONAL, INT32)], 1)
    bad("time", column("a", INT64, [(0, 0, -5)] * 3), [element("schema", children=1), element("a", REQUIRED, INT64, converted=8)])

os.makedirs(corpus, exist_ok=True)
made_by_pyarrow()
made_here()
refused()
