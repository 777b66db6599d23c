"""How exact each matmul precision is on this tier: `python bench/precision.py` prints a table.

For each distribution of the inputs, the greatest error over a product of (256, 512) by (512, 256)
against float64, relative to the sum of the magnitudes, |x| @ |w|: what a condition number cannot
blow up. "fma" is the same product by gemm, one fused multiply-add after the other.
"""

from __future__ import annotations

import numpy as np

from coreops import _kernels

M, K, N = 256, 512, 256


def distributions(rng: np.random.Generator, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    normal = rng.normal(size=shape)
    return {
        "normal": normal,
        "uniform 0 to 1": rng.random(shape),
        "exponents -50 to 50": np.exp2(rng.uniform(-50, 50, shape)) * np.sign(normal),
        "cancelling: 10^4 + normal": 1e4 * np.where(np.arange(shape[1]) % 2, 1, -1) + normal,
        "near overflow: 10^18 normal": 1e18 * normal,
        "small: 10^-12 normal": 1e-12 * normal,
        "half of them subnormal": np.where(rng.random(shape) < 0.5, 1e-40, normal),
        "all subnormal": 1e-41 * normal,
        "90 % zeros": np.where(rng.random(shape) < 0.9, 0, normal),
    }


def worst(x: np.ndarray, w: np.ndarray, precision: str) -> float:
    plan = _kernels.Plan(np.float32, (K,), precision)
    y = plan.finish(plan.dense(0, 1, w), (N,)).run(x)[0]
    a, b = x.astype(np.float64), w.astype(np.float64)
    return float(np.max(np.abs(y - a @ b) / (np.abs(a) @ np.abs(b))))


def main() -> None:
    rng = np.random.default_rng(0)
    w = (rng.normal(size=(K, N)) / np.sqrt(K)).astype(np.float32)
    names = [f"{p} ({_kernels.matmul_name(p)})" for p in _kernels.PRECISIONS]
    print(f"tier {_kernels.isa()}\n\n| inputs | fma | {' | '.join(names)} |\n|---|---|---|---|---|")
    for name, values in distributions(rng, (M, K)).items():
        x = values.astype(np.float32)
        _kernels.set_batch_invariant(True)
        errors = [worst(x, w, "highest")]
        _kernels.set_batch_invariant(False)
        errors += [worst(x, w, p) for p in _kernels.PRECISIONS]
        print(f"| {name} | {' | '.join(f'{e:.1e}' for e in errors)} |")


if __name__ == "__main__":
    main()
