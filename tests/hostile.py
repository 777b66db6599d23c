"""Model files that mean harm, made by the dozen.

    python tests/hostile.py FOLDER

`corpus(h5py, folder)` writes them and says what each is. The cases of single formats stand beside
their tests and come in from there; here are those of archives and of legacy HDF5 files.
"""

import json
import struct
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
from keras_cases import METADATA, dense, keras_zip, layer, sequential, weights

CODE = "4wEAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
JSON_BOMBS = {
    "deep lists": b"[" * 1_000_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "ten million values": b"[" + b"1," * 4_000_000 + b"1]",
    "a key twice": b'{"class_name": "Sequential", "class_name": "os"}',
    "a long number": b'{"a": ' + b"9" * 1_000_000 + b"}",
    "quotes without end": b'"' + b'\\"' * 4_000_000,
    "no UTF-8": b'{"a": "\xff\xfe"}',
    "surrogates": b'{"class_name": "\\ud800", "config": {}}',
    "NaN as a size": json.dumps(sequential(dense(units=float("nan")))).encode(),
    "infinity as a size": json.dumps(sequential(dense(units=float("inf")))).encode(),
    "NaN in a shape": json.dumps(sequential(dense(), shape=(None, float("nan")))).encode(),
    "1e999 units": b'{"class_name":"Sequential","config":{"name":"m","layers":['
    b'{"class_name":"Dense","config":{"name":"d","units":1e999}}]}}',
    "negative units": json.dumps(sequential(dense(units=-3))).encode(),
    "a bool as a size": json.dumps(sequential(dense(units=True), shape=(None, 3))).encode(),
}


# --- archives -------------------------------------------------------------------------------------


def good_archive(h5py, path):
    return keras_zip(path, sequential(dense()), weights(h5py)).read_bytes()


def directory(data):
    """Where each entry of an archive's directory begins."""
    places, position = [], data.find(b"PK\x01\x02")
    while position >= 0:
        places.append(position)
        position = data.find(b"PK\x01\x02", position + 4)
    return places


def patched(data, offset, value):
    """The archive with a number of each entry of its directory changed."""
    data = bytearray(data)
    for place in directory(data):
        data[place + offset : place + offset + len(value)] = value
    return bytes(data)


def archives(h5py, folder):
    """Yield (name, bytes) of archives that are not what they seem."""
    scratch = folder / "scratch.zip"
    config, good = json.dumps(sequential(dense())).encode(), good_archive(h5py, scratch)

    def made(*members, compression=zipfile.ZIP_STORED):
        with warnings.catch_warnings(), zipfile.ZipFile(scratch, "w", compression) as archive:
            warnings.simplefilter("ignore")  # of members with one name
            for name, data in members:
                archive.writestr(name, data)
        return scratch.read_bytes()

    def with_entry(name, mode=None):
        entry = zipfile.ZipInfo(name)
        if mode is not None:
            entry.external_attr = mode << 16
        return made(("config.json", config), ("model.weights.h5", weights(h5py)), (entry, b"x"))

    packed = zipfile.ZIP_DEFLATED
    yield "empty", b""
    yield "not an archive", b"junk" * 100
    yield "pickle", b"\x80\x04cposix\nsystem\n(S'true'\ntR."
    yield "gzip", b"\x1f\x8b\x08\x00" + bytes(100)
    yield "local header alone", b"PK\x03\x04" + bytes(1000)
    yield "directory alone", good[directory(good)[0] :]
    yield "cut in the middle", good[: len(good) // 2]
    yield "cut before the end", good[:-10]
    yield (
        "bomb in the config",
        made(("config.json", b'{"a":"' + b" " * (15 << 20) + b'"}'), compression=packed),
    )
    bomb = [("config.json", config), ("model.weights.h5", bytes(150 << 20))]
    yield "bomb in the weights", made(*bomb, compression=packed)
    noise = np.random.default_rng(1).bytes(90 << 10)
    part = noise + bytes(60 * len(noise))  # in itself no bomb: 60 times its size
    slow = [("config.json", config), ("model.weights.h5", part * 16)]
    yield "bomb below the ratio", made(*slow, compression=packed)
    yield "a config of 17 MiB", made(("config.json", b" " * (17 << 20)))
    yield "two configs", made(("config.json", config), ("config.json", b"{}"))
    many = [(f"assets/{i}", b"") for i in range(50_000)]
    yield "fifty thousand members", made(*many)
    yield "no config", made(("readme.txt", b"hello"))
    yield "no weights", made(("config.json", config))
    yield "foreign compression", made(("config.json", config), compression=zipfile.ZIP_LZMA)
    yield "encrypted", patched(good, 8, b"\1\0")
    yield "wrong check sum", patched(good, 16, b"\0\0\0\0")
    yield "sizes of 2 GiB", patched(good, 20, struct.pack("<II", 2**31, 2**31))
    yield "larger inside than stored", patched(good, 24, struct.pack("<I", 2**31))
    yield "all members at one place", patched(good, 42, struct.pack("<I", 0))
    yield "places beyond the end", patched(good, 42, struct.pack("<I", 2**31))
    yield "an absolute name", with_entry("/etc/escape")
    yield "a name that climbs", with_entry("../../escape.txt")
    yield "a name of Windows", with_entry("..\\..\\escape.txt")
    yield "a drive", with_entry("C:/escape.txt")
    yield "a link", with_entry("assets/link", 0o120777)
    broken = bytearray(made(("config.json", bytes(100_000)), compression=packed))
    broken[60:70] = b"\xff" * 10
    yield "a broken stream", bytes(broken)
    yield "the future", keras_zip(scratch, {}, b"", metadata={"keras_version": "9.9"}).read_bytes()
    yield "deep metadata", keras_zip(scratch, {}, b"", metadata=b"[" * 60_000).read_bytes()
    for name, text in JSON_BOMBS.items():
        yield name, keras_zip(scratch, text, weights(h5py)).read_bytes()
    old = {**METADATA, "keras_version": "2.15.0"}
    legacy = legacy_model(layer("LSTM", "l", module=None, units=2, time_major=True))
    yield (
        "an option that is gone",
        keras_zip(scratch, legacy, weights(h5py), metadata=old).read_bytes(),
    )
    scratch.unlink()


# --- legacy HDF5 ----------------------------------------------------------------------------------


def legacy_layer(class_name, name, **config):
    return {"class_name": class_name, "config": {"name": name, **config}}


def legacy_model(*layers):
    first = legacy_layer("InputLayer", "input", batch_input_shape=[None, 3], dtype="float32")
    config = {"name": "model", "layers": [first, *layers]}
    return {"class_name": "Sequential", "config": config}


def legacy_file(h5py, path, config=None, edit=None, **attributes):
    """A legacy file with one Dense; `edit(file)` may change anything."""
    if config is None:
        config = legacy_model(legacy_layer("Dense", "dense", units=2))
    text = config if isinstance(config, (str, bytes)) else json.dumps(config)
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.9.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = text
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [b"dense"]
        group = root.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        group["dense/kernel:0"] = np.ones((3, 2), np.float32)
        group["dense/bias:0"] = np.zeros(2, np.float32)
        for name, value in attributes.items():
            file.attrs[name] = value
        if edit is not None:
            edit(file)
    return path.read_bytes()


def amplified(h5py, path):
    """Two thousand names, all of them one text of 8 MiB."""

    def edit(file):
        file.attrs["bait"] = "b" * (8 << 20)
        file["model_weights"].attrs["layer_names"] = [b"name-%04d" % i for i in range(2000)]

    data = bytearray(legacy_file(h5py, path, edit=edit))
    text = data.index(b"b" * 10_000)
    size, number = 8 << 20, struct.unpack_from("<H", data, text - 16)[0]
    collection = data.rindex(b"GCOL", 0, text)
    place = data.index(struct.pack("<I", 9), data.index(b"layer_names"))
    for i in range(2000):
        struct.pack_into("<IQI", data, place + 16 * i, size, collection, number)
    return bytes(data)


def indexes(good, index, heap):
    """Yield (name, bytes) of files whose first group has this index and this heap of names."""

    def placed(place, value):
        value = struct.pack("<Q", value) if isinstance(value, int) else value
        return good[:place] + value + good[place + len(value) :]

    free, start = struct.unpack_from("<16xQQ", good, heap)
    yield "no index", placed(index, b"JUNK")
    yield (
        "an index in a circle",
        placed(index + 5, b"\1\1\0" + bytes(24) + struct.pack("<Q", index)),
    )
    yield "an index beyond the end", placed(index + 32, 2**40)
    yield "more links than bytes", placed(index + 6, b"\xff\xff")
    yield "no names", placed(heap, b"JUNK")
    yield "free names in a circle", placed(start + free, free)


def replaced(data, old, new):
    assert old in data
    return data.replace(old, new)


def legacies(h5py, folder):
    """Yield (name, bytes) of legacy files that are not what they seem."""
    path = folder / "scratch.h5"
    secret = folder / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["model_weights/dense/dense/kernel:0"] = np.full((3, 2), 42, np.float32)
    (folder / "secret.bin").write_bytes(bytes(24))
    kernel = "model_weights/dense/dense/kernel:0"

    def made(config=None, edit=None, **attributes):
        return legacy_file(h5py, path, config, edit, **attributes)

    def instead(make):
        def edit(file):
            del file[kernel]
            make(file)

        return made(edit=edit)

    def names(group, attribute, values):
        def edit(file):
            del file[group].attrs[attribute]
            if values is not None:
                file[group].attrs[attribute] = values

        return made(edit=edit)

    good = made()
    one = "Lambda", "run_me"
    yield "code of a lambda", made(legacy_model(legacy_layer(*one, function=[CODE, None, None])))
    named = {"function": "system", "function_type": "function", "module": "os"}
    yield "a function of a module", made(legacy_model(legacy_layer(*one, **named)))
    yield "a class of a module", made(legacy_model({**legacy_layer("system", "x"), "module": "os"}))
    yield "no model", made({"class_name": "Popen", "config": {"args": "true"}})
    yield "huge units", made(legacy_model(legacy_layer("Dense", "dense", units=10**12)))
    yield (
        "more weights than there are",
        made(legacy_model(*(legacy_layer("Dense", f"dense{i}", units=2) for i in range(9)))),
    )
    deep = legacy_layer("Dense", "dense", units=2)
    for i in range(60):
        deep = legacy_layer("TimeDistributed", f"t{i}", layer=deep)
    yield "wrappers in wrappers", made(legacy_model(deep))
    graph = {"name": "m", "layers": [], "input_layers": [], "output_layers": [["x", 0, 0]]}
    node = {"class_name": "Dense", "name": "x", "config": {"name": "x", "units": 2}}
    for label, nodes in {
        "a layer that follows itself": [[["x", 0, 0, {}]]],
        "a call of nothing": [[7]],
        "options that are none": [[["x", 0, 0, []]]],
    }.items():
        entry = {**graph, "layers": [{**node, "inbound_nodes": nodes}]}
        yield label, made({"class_name": "Functional", "config": entry})
    yield "deep config", made(b"[" * 50_000)
    yield "a key of the config twice", made('{"class_name": "Sequential", "class_name": "os"}')
    yield "a config of numbers", made(model_config=np.zeros(3))
    yield "a version of the future", made(keras_version="9.0")
    yield (
        "no list of layers",
        made(edit=lambda file: file["model_weights"].attrs.pop("layer_names")),
    )
    yield "a layer that is not there", names("model_weights", "layer_names", [b"dense", b"../x"])
    other = [b"dense/kernel:0", b"../../optimizer_weights"]
    yield "a weight from elsewhere", names("model_weights/dense", "weight_names", other)
    yield "names that are numbers", names("model_weights", "layer_names", np.arange(5))
    yield "a name without UTF-8", names("model_weights", "layer_names", np.array([b"\xff\xfe"]))
    yield "names without end", names("model_weights", "layer_names", np.array([b"d"] * 60_000))
    yield "one text two thousand times", amplified(h5py, path)
    heap = good.index(b"GCOL")
    config = good.index(b'{"class_name"')
    size = good.index(b"\0", config) - config
    reference = struct.pack("<I", size) + struct.pack("<Q", heap)
    yield "a text of 4 GiB", replaced(good, reference, b"\xff" * 4 + reference[4:])
    root = struct.unpack_from("<Q", good, 64)[0]
    size = struct.unpack_from("<I", good, root + 8)[0]
    circle = struct.pack("<HHBxxxQQ", 0x10, 16, 0, root + 16, size)
    yield "a header in a circle", good[: root + 16] + circle + good[root + 16 + len(circle) :]
    yield from indexes(good, *struct.unpack_from("<QQ", good, 80))
    yield "a header beyond the end", good[:64] + struct.pack("<Q", 2**40) + good[72:]
    yield "a header of another form", good[:root] + b"OHDR" + good[root + 4 :]
    yield "addresses from elsewhere", good[:24] + struct.pack("<Q", 8) + good[32:]
    yield "a heap that is none", good[:heap] + b"JUNK" + good[heap + 4 :]
    yield "a heap of great size", good[: config - 8] + struct.pack("<Q", 2**62) + good[config:]
    yield (
        "an external link",
        instead(lambda file: file.__setitem__(kernel, h5py.ExternalLink(str(secret), kernel))),
    )
    yield "a soft link", instead(lambda file: file.__setitem__(kernel, h5py.SoftLink("/secret")))
    yield (
        "a loop of soft links",
        instead(lambda file: file.__setitem__(kernel, h5py.SoftLink("/" + kernel))),
    )
    yield (
        "a loop of groups",
        made(edit=lambda file: file.__setitem__("model_weights/loop", file["model_weights"])),
    )
    outside = {"external": [(str(folder / "secret.bin"), 0, 24)]}
    yield (
        "values in another file",
        instead(lambda file: file.create_dataset(kernel, (3, 2), "f4", **outside)),
    )
    yield (
        "a shape of petabytes",
        instead(lambda file: file.create_dataset(kernel, (10**9, 10**6), "f4")),
    )
    yield (
        "packed values",
        instead(
            lambda file: file.create_dataset(kernel, data=np.ones((3, 2), "f4"), compression="gzip")
        ),
    )
    yield (
        "text as weights",
        instead(
            lambda file: file.create_dataset(kernel, data=["a"] * 6, dtype=h5py.string_dtype())
        ),
    )
    yield (
        "values of another shape",
        instead(lambda file: file.create_dataset(kernel, data=np.ones((2, 3), "f4"))),
    )
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["model_config"] = "{}"
        for i in range(20):  # more than a header takes: they move into a heap of their own
            file.attrs[f"a{i}"] = "x" * 1000
    yield "attributes in another form", path.read_bytes()
    yield "cut off", good[: len(good) // 3]
    path.unlink()


# --- all of them ----------------------------------------------------------------------------------


def corpus(h5py, folder):
    """Write the corpus; return name -> path."""
    from test_saving_configs import HOSTILE_CONFIGS
    from test_saving_weights import hostile_weights
    from test_tensors import HOSTILE as TENSORS
    from test_tensors import a_model, parts

    folder = Path(folder)
    found = {}

    def put(kind, name, suffix, data):
        path = folder / f"{len(found):03}{suffix}"
        path.write_bytes(data)
        found[f"{kind}: {name}"] = path

    for name, data in archives(h5py, folder):
        put("archive", name, ".keras", data)
    for name, data in legacies(h5py, folder):
        put("legacy", name, ".h5", data)
    scratch = folder / "scratch.keras"
    for name, (config, _) in HOSTILE_CONFIGS.items():
        put("config", name, ".keras", keras_zip(scratch, config, weights(h5py)).read_bytes())
    for name, (data, _) in hostile_weights(h5py, folder).items():
        archive = keras_zip(scratch, sequential(dense()), data).read_bytes()
        put("weights", name, ".keras", archive)
    scratch.unlink()
    scratch = folder / "scratch.safetensors"
    a_model().save(scratch)
    header, values = parts(scratch.read_bytes())
    scratch.unlink()
    for name, (make, _) in TENSORS.items():
        put("tensors", name, ".safetensors", make(header, values))
    return found


if __name__ == "__main__":
    import h5py

    for label, place in corpus(h5py, sys.argv[1]).items():
        print(f"{place}  {label}")
