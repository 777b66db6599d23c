"""What all tests share: the tiers, the real types, and real Keras as the oracle."""

import importlib.util
import os
import warnings

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "numpy")  # read once, when Keras is imported
if os.environ["KERAS_BACKEND"] == "jax":
    os.environ.setdefault("JAX_ENABLE_X64", "1")  # float64 is float64

import coreops
from coreops import _kernels


@pytest.fixture(scope="session")
def keras():
    """Real Keras, where it is installed; if it is, it must work."""
    if importlib.util.find_spec("keras") is None:
        pytest.skip("real Keras is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("keras")


@pytest.fixture(params=_kernels.tiers())
def isa(request):
    """Runs the test once on each tier of this CPU."""
    before = _kernels.isa()
    _kernels.use_isa(request.param)
    yield request.param
    _kernels.use_isa(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Runs the test once for each real type."""
    return np.dtype(request.param)


@pytest.fixture
def batch_invariant():
    """Runs the test with results that do not depend on the batch's size."""
    coreops.config.set_batch_invariant(True)
    yield
    coreops.config.set_batch_invariant(False)


@pytest.fixture(autouse=True)
def _fresh_names():
    """Automatic layer names do not depend on the tests that ran before."""
    coreops.backend.clear_session()


@pytest.fixture(autouse=True)
def _x87_is_free():
    """A kernel that went by way of MMX would give NaN to whoever computes in long double next."""
    yield
    assert np.longdouble(1) + np.longdouble(1) == 2


@pytest.fixture
def rng():
    return np.random.default_rng(20261123)


def pytest_report_header():
    info = coreops.runtime_info()
    return f"coreops: tier {info['tier']} of {info['tiers']}, {info['threads']} threads"
