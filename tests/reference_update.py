"""Slow, readable twins of the update kernels, in float64."""

import numpy as np

# Rule -> the names of its slots, in the kernel's order.
SLOTS = {
    "sgd": [],
    "sgd_momentum": ["m"],
    "sgd_nesterov": ["m"],
    "rmsprop": ["v"],
    "rmsprop_momentum": ["v", "m"],
    "rmsprop_centered": ["v", "mean"],
    "rmsprop_centered_momentum": ["v", "m", "mean"],
    "adam": ["m", "v"],
    "adam_amsgrad": ["m", "v", "top"],
    "adagrad": ["v"],
    "adadelta": ["v", "d"],
    "adamax": ["m", "u"],
    "nadam": ["m", "v"],
    "lion": ["m"],
}


def gradient(w, g, gathered=0.0, *, l1=0.0, l2=0.0, scale=1.0, factor=1.0, accumulate=1):
    """What an update goes by, before it is clipped by value."""
    penalty = l1 * np.sign(w) + 2 * l2 * w if l1 or l2 else 0.0
    return (scale * g + penalty + gathered) * factor / accumulate


def rule(kind, w, g, s, t, rate, p, q, epsilon):
    """The weight after the t-th update, t from 1; the slots in s change."""
    if kind == "sgd":
        return w - rate * g
    if kind.startswith("sgd"):
        s["m"] = p * s["m"] - rate * g
        return w + (p * s["m"] - rate * g if kind == "sgd_nesterov" else s["m"])
    if kind.startswith("rmsprop"):
        s["v"] = p * s["v"] + (1 - p) * g**2
        spread = s["v"]
        if "mean" in s:
            s["mean"] = p * s["mean"] + (1 - p) * g
            spread = np.maximum(spread - s["mean"] ** 2, 0)
        step = rate * g / np.sqrt(spread + epsilon)
        if "m" in s:
            step = s["m"] = q * s["m"] + step
        return w - step
    if kind == "adagrad":
        s["v"] = s["v"] + g**2
        return w - rate * g / np.sqrt(s["v"] + epsilon)
    if kind == "adadelta":
        s["v"] = p * s["v"] + (1 - p) * g**2
        step = np.sqrt(s["d"] + epsilon) / np.sqrt(s["v"] + epsilon) * g
        s["d"] = p * s["d"] + (1 - p) * step**2
        return w - rate * step
    if kind == "lion":
        direction = np.sign(p * s["m"] + (1 - p) * g)
        s["m"] = q * s["m"] + (1 - q) * g
        return w - rate * direction
    s["m"] = p * s["m"] + (1 - p) * g
    if kind == "adamax":
        s["u"] = np.maximum(q * s["u"], np.abs(g))
        return w - rate / (1 - p**t) * s["m"] / (s["u"] + epsilon)
    s["v"] = q * s["v"] + (1 - q) * g**2
    if kind == "nadam":
        momenta = [p * (1 - 0.5 * 0.96**i) for i in range(1, t + 2)]
        now, ahead = np.prod(momenta[:-1]), np.prod(momenta)
        mean = momenta[-1] * s["m"] / (1 - ahead) + (1 - momenta[-2]) * g / (1 - now)
        return w - rate * mean / (np.sqrt(s["v"] / (1 - q**t)) + epsilon)
    if kind == "adam_amsgrad":
        s["top"] = np.maximum(s["top"], s["v"])
    size = np.sqrt(s.get("top", s["v"])) + epsilon
    return w - rate * np.sqrt(1 - q**t) / (1 - p**t) * s["m"] / size


def update(kind, w, g, slots, step, rate, arguments, weight):
    """The weight and the slots after the step that comes after `step` others.

    arguments: those of the bridge's Rule. weight: those of its apply.
    """
    a = {"p": 0.0, "q": 0.0, "epsilon": 0.0, "weight_decay": 0.0, "clip": np.inf, "accumulate": 1}
    a = {**a, "averages": False, "ema_momentum": 0.0, "overwrite_every": 0, **arguments}
    of = {"decays": True, "nonneg": False, **weight}
    terms = {k: v for k, v in of.items() if k in ("l1", "l2", "scale", "factor")}
    w, g, *slots = (x.astype(np.float64) for x in (w, g, *slots))
    names = [*SLOTS[kind], *["gathered"] * (a["accumulate"] > 1), *["average"] * a["averages"]]
    s = dict(zip(names, slots, strict=True))
    t = step // a["accumulate"] + 1
    gathered = s.pop("gathered", None)
    average = s.pop("average", None)
    if (step + 1) % a["accumulate"]:
        gathered = gradient(w, g, gathered, **{**terms, "factor": 1.0})
    else:
        waiting = 0.0 if gathered is None else gathered
        g = gradient(w, g, waiting, accumulate=a["accumulate"], **terms)
        gathered = None if gathered is None else np.zeros_like(g)
        g = np.clip(g, -a["clip"], a["clip"])
        if a["weight_decay"] and of["decays"]:
            w = w - w * a["weight_decay"] * rate
        w = rule(kind, w, g, s, t, rate, a["p"], a["q"], a["epsilon"])
    if average is not None:
        keep = a["ema_momentum"] if t > 1 else 0.0
        average = keep * average + (1 - keep) * w
        if a["overwrite_every"] and t % a["overwrite_every"] == 0:
            w = average
    if of["nonneg"]:
        w = np.maximum(w, 0)
    after = [s[name] for name in SLOTS[kind]]
    return w, after + [x for x in (gathered, average) if x is not None]


def rescale_columns(w, low, high, rate, epsilon):
    w = w.astype(np.float64)
    norm = np.sqrt(np.sum(w**2, axis=0))
    return w * (rate * np.clip(norm, low, high) + (1 - rate) * norm) / (epsilon + norm)
